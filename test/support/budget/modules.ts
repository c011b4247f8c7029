/**
 * Which modules a command loads: the program is bundled for Node with a line in each module that says so.
 *
 * @module
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join, relative } from 'node:path';
import { build, type Loader } from 'esbuild';

const root = join(import.meta.dirname, '../../..');

/** Names the file that the modules' names are appended to. */
const LIST = 'RUNTS_LOADED_MODULES';

const BANNER = `import { appendFileSync as __append } from 'node:fs';
globalThis.__loaded = (name) => { if (process.env.${LIST}) __append(process.env.${LIST}, name + '\\n'); };
const __loaded = globalThis.__loaded;`;

/** The program, and how to learn what it has loaded. */
export interface Instrumented {
  command: readonly string[];
  /** Gives a command's environment and, after it has ended, its modules in the order in which they were loaded. */
  listing(): { env: Record<string, string>; modules(): string[] };
}

/** Builds it; it is removed when this process exits. */
export async function buildInstrumented(): Promise<Instrumented> {
  const folder = mkdtempSync(join(tmpdir(), 'runts-modules-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  // The native parts stand beside the program.
  for (const name of readdirSync(join(root, 'dist'))) {
    if (/^(executor|.*\.node)$/.test(name)) symlinkSync(join(root, 'dist', name), join(folder, name));
  }
  const outfile = join(folder, 'program.mjs');
  await build({
    entryPoints: [join(root, 'src/cli/main.ts')],
    outfile,
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    banner: { js: BANNER },
    logLevel: 'silent',
    plugins: [
      {
        name: 'tell',
        setup({ onLoad }) {
          onLoad({ filter: /\.(ts|js|mjs|cjs)$/ }, ({ path }) => {
            const name = relative(root, path);
            const loader = extname(path).endsWith('ts') ? 'ts' : ('js' as Loader);
            return { contents: `__loaded(${JSON.stringify(name)});${readFileSync(path, 'utf8')}`, loader };
          });
        },
      },
    ],
  });
  let count = 0;
  return {
    command: [process.execPath, outfile],
    listing() {
      const file = join(folder, `loaded-${count++}`);
      const { PATH = '' } = process.env;
      return {
        env: { PATH, [LIST]: file },
        modules: () => readFileSync(file, 'utf8').trim().split('\n'),
      };
    },
  };
}

/** Bytes of modules' sources. */
export function sourceBytes(modules: readonly string[]): number {
  return modules.reduce((sum, name) => sum + statSync(join(root, name)).size, 0);
}
