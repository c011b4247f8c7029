import { test } from 'node:test';
import { WAIT_CHECKS } from './testing/wait-checks.ts';

for (const [name, body] of WAIT_CHECKS) test(name, body);
