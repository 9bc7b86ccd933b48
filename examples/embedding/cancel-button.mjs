// The cancel button of a portal: DELETE /jobs/1234 ends a job, if the user who is logged in may do that.
import { isSlurmError } from 'slurmwire';

/**
 * A handler for `node:http`.
 *
 * @param {object} portal
 * @param {(request: import('node:http').IncomingMessage) => Promise<{ name: string, uid: number } | null>} portal.userOf who is logged in; `null`:
 * nobody. Check here, too, that the request comes from a page of yours (CSRF).
 * @param {(user: { name: string, uid: number }) => Promise<import('slurmwire').SlurmClient>} portal.clientOf whose authority Slurm sees: that of
 * the user, or of the portal.
 * @param {boolean} portal.actsForAll the client is one that may end anybody's job, so the portal has to ask whose it is.
 * @returns {import('node:http').RequestListener}
 */
export function cancelButton({ userOf, clientOf, actsForAll }) {
  return async (request, response) => {
    const { status, ...body } = await answerTo(request).catch((error) => {
      console.error(error); // for the operators; the page learns nothing of it
      return { status: 500, message: 'internal error' };
    });
    if (status === 429 || status === 503) response.setHeader('Retry-After', '5');
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(body));
  };

  /** @param {import('node:http').IncomingMessage} request */
  async function answerTo(request) {
    const [, job] = /^\/jobs\/(\d+(?:_\d+)?)$/.exec(request.url ?? '') ?? [];
    if (job === undefined) return { status: 404, message: 'no such page' };
    if (request.method !== 'DELETE') return { status: 405, message: 'DELETE ends a job' };
    const user = await userOf(request);
    if (user === null) return { status: 401, message: 'please log in' };
    try {
      const slurm = await clientOf(user);
      // No AbortSignal: a closed browser is no reason to leave a cancel half done. The time is the user's patience.
      const options = { timeoutMs: 10_000 };
      if (actsForAll && !(await isOwnedBy(slurm, job, user.uid, options)))
        return { status: 404, message: `you have no job ${job}` };
      await slurm.killJob(job, 'SIGKILL', options);
      // Accepted, not yet dead: the page shows COMPLETING until the nodes have cleaned up.
      return { status: 202, outcome: 'accepted', message: `job ${job} is being ended` };
    } catch (error) {
      if (!isSlurmError(error)) throw error;
      const { outcome, code } = error;
      return { status: statusOf(error), outcome, code, message: messageOf(error) };
    }
  }
}

/**
 * @param {import('slurmwire').SlurmClient} slurm
 * @param {string} job
 * @param {number} uid
 * @param {import('slurmwire').CallOptions} options
 */
async function isOwnedBy(slurm, job, uid, options) {
  const { jobs } = await slurm.probe(job, options);
  return jobs.length > 0 && jobs.every(({ userId }) => userId === uid);
}

/** By what is known of the request first: a status that says "no" must never stand for "perhaps". @param {import('slurmwire').SlurmError} error */
export function statusOf({ outcome, errno, code, name }) {
  if (outcome === 'unknown') return 504; // it may have happened: look at the job
  if (outcome === 'partial') return 207; // of an array some tasks: `parts`
  if (code === 'ESLURM_ALREADY_DONE') return 410;
  if (errno === 'ESRCH') return 404;
  if (errno === 'EPERM') return 403;
  if (errno === 'EAGAIN') return 429; // too many requests
  if (name === 'SlurmUsageError') return 400;
  return outcome === 'refused' ? 409 : 503; // not sent: no controller, no munged, an expired token
}

/** Hosts, users and configuration are the operators' business. @param {import('slurmwire').SlurmError} error */
function messageOf({ outcome, code }) {
  if (outcome === 'unknown') return 'The cluster did not answer. Look at the job before you try again.';
  if (outcome === 'not-sent') return 'The cluster cannot be asked now. Nothing was done.';
  return `The cluster said ${code}.`;
}
