import { test } from 'node:test';
import { CALL_CHECKS } from './testing/call-checks.ts';

for (const [name, body] of CALL_CHECKS) test(name, body);
