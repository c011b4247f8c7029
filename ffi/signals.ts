/**
 * Signals to this process, beyond what the engines' `process.on` has.
 *
 * @module
 */

export { catchSignal, deliverSignals, LAST_SIGNAL } from '#native';
