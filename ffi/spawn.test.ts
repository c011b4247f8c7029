import { test } from 'node:test';
import { SPAWN_CHECKS } from './testing/spawn-checks.ts';

for (const [name, body] of SPAWN_CHECKS) test(name, body);
