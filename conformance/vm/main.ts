/**
 * `conformance/vm/run [OPTION]... -- COMMAND [ARGUMENT]...`
 *
 * @module
 */
import { parseArgs } from 'node:util';
import { streamInVm, TIMED_OUT, VmError } from './vm.ts';

/** Exit status when the VM itself fails. */
const VM_FAILED = 125;

const HELP = `usage: conformance/vm/run [OPTION]... -- COMMAND [ARGUMENT]...

Runs COMMAND as root in a throw-away virtual machine with pure cgroup v2. Its root is this host's, read-only;
what is written vanishes, but for --share. /scratch is an empty ext4 disk.

  --systemd         boot systemd and run COMMAND as a unit of it
  --no-snapshot     boot instead of starting from a snapshot of the booted kernel
  --memory MIB      2048 without this option
  --cpus N          2 without
  --scratch GIB     size of the disk on /scratch; 20 without, 0 for none
  --share DIR       COMMAND may write DIR of this host (repeatable)
  --package NAME    Debian package that COMMAND needs, not installed here (repeatable)
  --env NAME=VALUE  (repeatable)
  --cwd DIR         working directory; the present one without
  --merge           standard error joins standard output, in order
  --stdin           COMMAND gets this program's standard input
  --timeout SEC     600 without
  --time            say on standard error how long it took
  --build           only make sure that everything is there

Exit status: COMMAND's; 128 + N for signal N; ${TIMED_OUT} when it took too long; ${VM_FAILED} when the VM failed.
`;

function parse(args: string[]) {
  const split = args.indexOf('--');
  const { values, positionals } = parseArgs({
    args: split < 0 ? args : args.slice(0, split),
    strict: true,
    allowPositionals: true,
    options: {
      systemd: { type: 'boolean' },
      'no-snapshot': { type: 'boolean' },
      memory: { type: 'string' },
      cpus: { type: 'string' },
      scratch: { type: 'string' },
      share: { type: 'string', multiple: true },
      package: { type: 'string', multiple: true },
      env: { type: 'string', multiple: true },
      cwd: { type: 'string' },
      merge: { type: 'boolean' },
      stdin: { type: 'boolean' },
      timeout: { type: 'string' },
      time: { type: 'boolean' },
      build: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  return { values, command: [...positionals, ...(split < 0 ? [] : args.slice(split + 1))] };
}

function number(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw new VmError(`--${name} takes a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}

async function run(args: string[]): Promise<number> {
  const { values, command } = parse(args);
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (values.build) {
    const { ensureImage } = await import('./image.ts');
    await ensureImage();
    return 0;
  }
  if (command.length === 0) throw new VmError('no command; see --help');
  const env = Object.fromEntries(
    (values.env ?? []).map((text): [string, string] => {
      const at = text.indexOf('=');
      if (at < 1) throw new VmError(`--env takes NAME=VALUE, not ${JSON.stringify(text)}`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
  const began = performance.now();
  const onStep = (step: string) => {
    if (values.time)
      process.stderr.write(`vm: ${step} after ${((performance.now() - began) / 1000).toFixed(2)} s\n`);
  };
  const streams = {
    stdout: process.stdout,
    stderr: process.stderr,
    ...(values.stdin ? { stdin: process.stdin } : {}),
  };
  const timeout = number(values.timeout, 'timeout');
  const status = await streamInVm(command, streams, {
    systemd: values.systemd,
    snapshot: !values['no-snapshot'],
    memory: number(values.memory, 'memory'),
    cpus: number(values.cpus, 'cpus'),
    scratch: number(values.scratch, 'scratch'),
    shares: values.share,
    packages: values.package,
    env,
    cwd: values.cwd,
    timeout,
    merge: values.merge,
    onStep,
  });
  if (status === TIMED_OUT)
    process.stderr.write(`vm: exit status ${TIMED_OUT}: took longer than ${timeout ?? 600} s?\n`);
  onStep('end');
  return status;
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  // parseArgs names the wrong option in its message.
  const known = error instanceof VmError || error instanceof TypeError;
  process.stderr.write(`vm: ${known ? error.message : String((error as Error).stack ?? error)}\n`);
  process.exitCode = VM_FAILED;
}
// Standard input, if it was passed on, may still be open.
process.stdin.unref?.();
