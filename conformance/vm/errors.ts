/** A failure of the VM itself, with a text that says what to do; not one of the command that runs in it. */
export class VmError extends Error {}
