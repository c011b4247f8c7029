import { chmodSync, mkdtempSync } from 'node:fs';
import { inWorld } from '/work/main/test/harness/world.ts';

const [, , path, mode, p] = process.argv;
const r = inWorld({ cgroups: mode as 'host', network: true }, ['timeout', '60', `validation/${p}/${p}.t`], {
  cwd: '/tmp/runtime-tools',
  env: {
    ...process.env,
    RUNTIME: path,
    TMPDIR: (() => {
      const d = mkdtempSync('/tmp/rtt/b-');
      chmodSync(d, 0o1777);
      return d;
    })(),
  },
});
console.log(`== ${p} status ${r.status}\n-- out\n${r.stdout}\n-- err\n${r.stderr}`);
