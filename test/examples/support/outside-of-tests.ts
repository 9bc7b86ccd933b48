/** The environment without what tells a test runner that it runs inside of another one. */
export function outsideOfTests(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !/^(VITEST|NODE_TEST|TEST$|NODE_ENV)/.test(key)),
  );
}
