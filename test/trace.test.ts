/** `--trace`: where the time went. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { privateWorld, runtimes, session, tempBundle, temporaryFolder } from './harness/index.ts';
import { testsOf } from './support/inside.ts';

const { skip } = privateWorld();

interface Slice {
  name: string;
  cat: string;
  ph: string;
  ts: number;
  dur: number;
}

function slicesOf(path: string): Slice[] {
  const { traceEvents } = JSON.parse(readFileSync(path, 'utf8')) as { traceEvents: Slice[] };
  return traceEvents.filter(({ ph }) => ph === 'X');
}

for (const runtime of runtimes()) {
  testsOf(runtime, skip)(
    'create, start, run and exec show the host’s steps and the executor’s calls on one clock',
    (t) => {
      const s = session(t, runtime);
      const bundle = tempBundle(t, { args: ['sleep', '50'] });
      const path = join(temporaryFolder(t), 'trace.json');
      const flags = ['--trace', path];
      const check = (host: string, call?: string): void => {
        const slices = slicesOf(path);
        const step = slices.find(({ name }) => name === host);
        assert.ok(step !== undefined, `${host} in ${slices.map(({ name }) => name).join(' ')}`);
        if (call === undefined) return;
        const start = slices.find(({ cat }) => cat === 'engine')!;
        const found = slices.find(({ name, cat }) => name === call && cat === 'executor');
        assert.ok(found !== undefined && found.ts > start.ts, `${call} is after the start`);
        assert.ok(found.ts - start.ts < 30e6, 'within half a minute');
      };
      const { id, code, output } = s.create(bundle, { flags });
      assert.equal(code, 0, output());
      check('spawn', 'pivot_root');
      s.ok(['start', ...flags, id]);
      check('start');
      s.ok(['exec', ...flags, id, 'true']);
      check('exec', 'execve');
      assert.equal(s.call(['exec', ...flags, '--cwd', '/none', id, 'true']).code, 255);
      check('exec', 'chdir');
      s.ok(['delete', '--force', id]);
      assert.equal(s.detach(bundle, { flags, id }).code, 0);
      check('execed', 'execve');
    },
  );
}
