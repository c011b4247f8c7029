import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { securityModules } from './security.ts';

test('which security modules are on', (t) => {
  const sys = mkdtempSync(join(tmpdir(), 'runts-sys-'));
  t.after(() => rmSync(sys, { recursive: true }));
  assert.deepEqual(securityModules(sys), { apparmor: false, selinux: false });
  mkdirSync(`${sys}/module/apparmor/parameters`, { recursive: true });
  writeFileSync(`${sys}/module/apparmor/parameters/enabled`, 'N\n');
  assert.equal(securityModules(sys).apparmor, false);
  writeFileSync(`${sys}/module/apparmor/parameters/enabled`, 'Y\n');
  mkdirSync(`${sys}/fs/selinux`, { recursive: true });
  assert.deepEqual(securityModules(sys), { apparmor: true, selinux: false });
  writeFileSync(`${sys}/fs/selinux/enforce`, '0');
  assert.deepEqual(securityModules(sys), { apparmor: true, selinux: true });
});
