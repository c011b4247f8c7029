/**
 * System calls of a command by phase, from the output of `strace -f`.
 *
 * @module
 */

/** Who makes calls, and when. */
export interface Calls {
  /** The engine until the program first looks at the bundle or the state, all threads. */
  engine: number;
  /** From there until the first change on the host: load, validate, plan. */
  plan: number;
  /** From there to the end: the host's side. */
  host: number;
  /** The executor, all of its processes, up to the container's command. */
  executor: number;
  /** Threads that the engine started. */
  threads: number;
  /** Files that the engine opened for itself, in order. */
  engineFiles: string[];
  /** Files that the program opened to read, in order. */
  files: string[];
}

/** Paths that belong to the trial and not to the program. */
export interface Places {
  /** The runtime's `--root`. */
  root: string;
  bundle?: string;
}

/** Calls that the engine makes when it likes: memory, its threads, its signals. They don't count in our phases. */
const ENGINES_OWN =
  /^(futex|m?mmap2?|munmap|mprotect|madvise|mremap|brk|rt_sig\w+|sigaltstack|sched_\w+|getrandom|gettid|tgkill|epoll_\w+|clock_\w+|set_robust_list|rseq|restart_syscall)$/;

/** The engine in the middle of our phases: how much memory is there? Is there a signal? */
const ENGINES_FILES = /"\/proc\/self\/(statm|maps)"|^(read|write)\(\d+, "\*", 1\)/;

interface Line {
  pid: number;
  call: string;
  text: string;
}

/** One line of strace that begins a call; undefined for the rest of one, a signal, an end. */
function parseLine(line: string): Line | undefined {
  const match = /^(\d+) +((\w+)\(.*)$/.exec(line);
  return match === null ? undefined : { pid: Number(match[1]), call: match[3]!, text: match[2]! };
}

/** Who made whom: process or thread by the number of its maker. */
function family(lines: readonly string[]): Map<number, { parent: number; thread: boolean }> {
  const made = new Map<number, { parent: number; thread: boolean }>();
  const pending = new Map<number, boolean>();
  for (const line of lines) {
    const match = /^(\d+) +(?:<\.\.\. )?(clone3?|v?fork)(?:\(| resumed>)(.*)$/.exec(line);
    if (match === null) continue;
    const pid = Number(match[1]);
    const rest = match[3]!;
    const resumed = line.includes(' resumed>');
    const thread = resumed ? pending.get(pid) === true : rest.includes('CLONE_THREAD');
    if (!resumed) pending.set(pid, thread);
    const result = /= (\d+)(?: |$)/.exec(rest.slice(rest.lastIndexOf(')')));
    if (result !== null) made.set(Number(result[1]), { parent: pid, thread });
  }
  return made;
}

/**
 * Counts.
 *
 * @param text what `strace -f -o FILE` wrote, all of it
 */
export function countCalls(text: string, { root, bundle }: Places): Calls {
  const lines = text.split('\n');
  const made = family(lines);
  const main = Number.parseInt(text, 10);
  const calls: Calls = { engine: 0, plan: 0, host: 0, executor: 0, threads: 0, engineFiles: [], files: [] };
  for (const { thread } of made.values()) if (thread) calls.threads++;
  const isEngine = (pid: number): boolean => {
    const maker = made.get(pid);
    return pid === main || (maker?.thread === true && isEngine(maker.parent));
  };
  /** Has executed the container's command. */
  const contained = new Set<number>();
  let phase: 'engine' | 'plan' | 'host' = 'engine';
  /** Is about to execute something that is not the executor. */
  const executing = new Set<number>();
  let first = true;
  for (const raw of lines) {
    const line = parseLine(raw);
    if (line === undefined) {
      const done = /^(\d+) +<\.\.\. execve resumed>.* = 0$/.exec(raw);
      if (done !== null && executing.has(Number(done[1]))) contained.add(Number(done[1]));
      continue;
    }
    if (!isEngine(line.pid)) {
      if (contained.has(line.pid) || contained.has(made.get(line.pid)?.parent ?? 0)) contained.add(line.pid);
      else calls.executor++;
      // The executor itself is executed from memory.
      if (line.call === 'execve' && !line.text.startsWith('execve("/proc/self/fd/')) {
        executing.add(line.pid);
        if (line.text.endsWith(' = 0')) contained.add(line.pid);
      }
      continue;
    }
    if (first) {
      first = false;
      calls.engine++;
      continue;
    }
    const ours = line.text.includes(root) || (bundle !== undefined && line.text.includes(bundle));
    if (phase === 'engine' && ours) phase = 'plan';
    if (phase === 'plan' && changes(line, root)) phase = 'host';
    if (phase === 'engine') {
      calls.engine++;
      const file = opened(line);
      if (file !== undefined) calls.engineFiles.push(file);
    } else if (line.pid === main && !ENGINES_OWN.test(line.call)) {
      if (ENGINES_FILES.test(line.text)) continue;
      calls[phase]++;
      const file = opened(line);
      if (file !== undefined) calls.files.push(nameOf(file, { root, bundle }));
    }
  }
  return calls;
}

/** Is this the first step on the host? All commands that change something make the state's folder or lock it. */
function changes({ call, text }: Line, root: string): boolean {
  return text.includes(root) && (call.startsWith('mkdir') || text.includes('O_DIRECTORY'));
}

/** The file that a call opens to read; none that is not there, that is written, or that is a folder. */
function opened({ call, text }: Line): string | undefined {
  if (!/^open(at2?)?$/.test(call) || / = -1 |O_(WRONLY|RDWR|DIRECTORY|PATH)/.test(text)) return undefined;
  return /"([^"]*)"/.exec(text)?.[1];
}

function nameOf(file: string, { root, bundle }: Places): string {
  const name = bundle === undefined ? file : file.replace(bundle, 'BUNDLE');
  return name.replace(root, 'ROOT').replace(/\/proc\/\d+\//, '/proc/PID/');
}
