/** What scancel says of its own options: in an error, and with `-vvv`. */
import type { CancelFilter, CancelRequest } from './request.js';

/** `name=value ` for each filter that was given. */
export function filterText(filter: CancelFilter): string {
  const { account, name, nodelist, partition, qos, reservation, state, user, wckey } = filter;
  const shown = {
    account,
    job_name: name,
    nodelist,
    partition,
    qos,
    reservation,
    state: state?.name,
    user_name: user?.name,
    wckey,
  };
  return Object.entries(shown)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${value} `)
    .join('');
}

/** A line for each option and each job. */
export function requestLines({ filter, operands, ...request }: CancelRequest, verbosity: number): string[] {
  const { account, name, nodelist, partition, qos, reservation, state, user, wckey } = filter;
  const line = (key: string, value: unknown) => `${key.padEnd(15)}: ${value ?? '(null)'}`;
  return [
    line('account', account),
    line('batch', request.batch),
    line('ctld', request.ctld),
    line('cron', request.cron),
    line('full', request.full),
    line('hurry', request.hurry),
    line('interactive', request.interactive),
    line('job_name', name),
    line('nodelist', nodelist),
    line('partition', partition),
    line('qos', qos),
    line('reservation', reservation),
    line('sibling', request.sibling),
    ...(request.signal === null ? [] : [line('signal', request.signal)]),
    line('state', state?.name ?? '?'),
    line('user_id', user?.uid ?? 0),
    line('user_name', user?.name),
    line('verbose', verbosity),
    line('wckey', wckey),
    ...operands.map(({ job, step }, index) =>
      step === null
        ? line(`job_id[${index}]`, job.text)
        : line(`job_step_id[${index}]`, `${job.text}.${step}`),
    ),
  ];
}
