/**
 * The event loop under QuickJS: timers, descriptors and signals, by ppoll(2).
 *
 * @module
 */

import { signalNumber } from '../../src/linux/signals.ts';
import { POLL, poll } from '../descriptors.ts';
import { define } from './builtins.ts';
import { host } from './host.ts';

interface Timer {
  /** On the clock of the host. */
  at: number;
  every?: number;
  run(): void;
}

interface Wait {
  fds: readonly { fd: number; events: number }[];
  /** On the clock of the host. */
  until: number;
  done(events: number[]): void;
}

const timers = new Set<Timer>();
const waits = new Set<Wait>();
const listeners = new Map<string, ((argument?: unknown) => void)[]>();
/** Readable when a signal has arrived; -1 while none was ever caught. */
let signalFd = -1;

function addTimer(run: () => void, delay: number, every?: number): Timer {
  const timer = { at: host.clock() + delay, every, run };
  timers.add(timer);
  return timer;
}

define(globalThis, 'setTimeout', (run: () => void, delay = 0) => addTimer(run, delay));
define(globalThis, 'setInterval', (run: () => void, delay: number) => addTimer(run, delay, delay));
define(globalThis, 'clearTimeout', (timer: Timer) => timers.delete(timer));
define(globalThis, 'clearInterval', (timer: Timer) => timers.delete(timer));

/** Of the signals that were caught, by number. */
const caught = new Map<number, () => void>();

/** The number of a signal by its name, undefined for what is no signal. */
function signalOf(event: string): number | undefined {
  return event.startsWith('SIG') ? signalNumber(event) : undefined;
}

/** As process.on; beside signals there are `exit`, `uncaughtException` and `unhandledRejection`. */
export function on(event: string, listener: (argument?: unknown) => void): void {
  const known = listeners.get(event);
  if (known !== undefined) {
    known.push(listener);
    return;
  }
  listeners.set(event, [listener]);
  const number = signalOf(event);
  if (number === undefined) return;
  catchSignal(number, event, () => void emit(event, event));
}

/** As process.off. */
export function off(event: string, listener: (argument?: unknown) => void): void {
  const rest = (listeners.get(event) ?? []).filter((one) => one !== listener);
  if (rest.length > 0) {
    listeners.set(event, rest);
    return;
  }
  const number = signalOf(event);
  if (listeners.delete(event) && number !== undefined) host.catchSignal(number, false);
}

/** Calls a function for each signal that comes, whatever its name. What this gives ends that. */
export function catchSignal(number: number, _name: string, handler: () => void): () => void {
  signalFd = host.catchSignal(number, true);
  caught.set(number, handler);
  return () => void host.catchSignal(number, false);
}

/** Calls the listeners; false when there is none. */
export function emit(event: string, argument?: unknown): boolean {
  const all = [...(listeners.get(event) ?? [])];
  for (const listener of all) listener(argument);
  return all.length > 0;
}

/** The events of descriptors as soon as one has any, as of poll(2); all 0 after the timeout. */
export function whenReady(fds: Wait['fds'], timeoutMs: number): Promise<number[]> {
  const until = timeoutMs < 0 ? Number.POSITIVE_INFINITY : host.clock() + timeoutMs;
  return new Promise((done) => waits.add({ fds, until, done }));
}

/** Waits for what comes first and tells those who wait for it. False when nobody waits for anything. */
export function turn(): boolean {
  if (timers.size === 0 && waits.size === 0 && signalFd < 0) return false;
  const fds: { fd: number; events: number }[] = [{ fd: signalFd, events: POLL.IN }];
  let until = Number.POSITIVE_INFINITY;
  for (const timer of timers) until = Math.min(until, timer.at);
  for (const wait of waits) {
    until = Math.min(until, wait.until);
    fds.push(...wait.fds);
  }
  const events = poll(fds, until === Number.POSITIVE_INFINITY ? -1 : Math.max(0, until - host.clock()));
  if (events[0] !== 0) dispatchSignals();
  dispatchReady(events);
  dispatchTimers();
  return true;
}

/** Calls the listeners of the signals that have arrived. */
export function dispatchSignals(): void {
  for (const number of host.takeSignals()) caught.get(number)?.();
}

function dispatchReady(events: readonly number[]): void {
  const now = host.clock();
  let first = 1;
  for (const wait of [...waits]) {
    const own = events.slice(first, first + wait.fds.length);
    first += wait.fds.length;
    if (now < wait.until && own.every((one) => one === 0)) continue;
    waits.delete(wait);
    wait.done(own);
  }
}

function dispatchTimers(): void {
  const now = host.clock();
  for (const timer of [...timers]) {
    if (timer.at > now || !timers.has(timer)) continue;
    if (timer.every === undefined) timers.delete(timer);
    else timer.at = now + timer.every;
    timer.run();
  }
}
