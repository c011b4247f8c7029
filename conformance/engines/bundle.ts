/**
 * The program that works in the VM, as plain JavaScript: in emulation, translating TypeScript takes longer than a case.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { project } from './options.ts';

/** Packages stay where they are; what lies beside a module is found by the module's own folder. */
export async function bundle(): Promise<string> {
  const folder = join(project, 'dist/conformance');
  await build({
    entryPoints: [join(project, 'conformance/main.ts')],
    outdir: folder,
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    logLevel: 'warning',
    plugins: [
      {
        name: 'folders',
        setup(builder) {
          builder.onLoad({ filter: /\.m?ts$|\/scripts\/.*\.mjs$/ }, ({ path }) => ({
            contents: readFileSync(path, 'utf8')
              .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)))
              .replaceAll('import.meta.url', JSON.stringify(`file://${path}`)),
            loader: path.endsWith('.mjs') ? 'js' : 'ts',
          }));
        },
      },
    ],
  });
  return join(folder, 'main.mjs');
}
