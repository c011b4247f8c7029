/**
 * How much longer things take than on a host: the test VM is emulated, and ten to forty times as slow.
 *
 * @module
 */

/** 1 on a host; in the VM what the runner says. */
export const SLOWNESS: number = Number(process.env.RUNTS_TEST_SLOWNESS) || 1;
