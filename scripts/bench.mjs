// @ts-check
/**
 * `npm run bench [-- ARGUMENTS]`: installs and builds what is measured, then runs bench/main.ts.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { build } from './build.mjs';
import { installDependencies } from './dependencies.mjs';
import { childEnv, main, root } from './lib.mjs';
import { ensurePrerequisites } from './prerequisites.mjs';

await main(import.meta.url, async () => {
  installDependencies();
  ensurePrerequisites();
  await build();
  const args = ['--import', 'tsx', 'bench/main.ts', ...process.argv.slice(2)];
  const { status } = spawnSync(process.execPath, args, { cwd: root, env: childEnv(), stdio: 'inherit' });
  process.exitCode = status ?? 1;
});
