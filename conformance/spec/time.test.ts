/** config-linux.md, "Namespaces" of type time, and "Offset for Time Namespace". */

import assert from 'node:assert/strict';
import { privateWorld, runtimes } from '../../test/harness/index.ts';
import { look, testsOf } from '../../test/support/inside.ts';

const { skip } = privateWorld();

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('a time namespace has clocks of its own', (t) => {
    const day = 86_400;
    const seen = look(
      t,
      runtime,
      { uptime: 'cut -d. -f1 /proc/uptime', offsets: 'cat /proc/self/timens_offsets' },
      {
        config: (spec) => {
          spec.linux.namespaces.push({ type: 'time' });
          spec.linux.timeOffsets = {
            boottime: { secs: 1000 * day },
            monotonic: { secs: 2 * day, nanosecs: 5 },
          };
        },
      },
    );
    assert.ok(Number(seen.uptime) > 1000 * day, seen.uptime);
    assert.match(seen.offsets!, /^monotonic\s+172800\s+5$/m);
    assert.match(seen.offsets!, /^boottime\s+86400000\s+0$/m);
  });
}
