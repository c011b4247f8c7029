/**
 * Signals to this process, beyond what the engines' `process.on` has.
 *
 * @module
 */

export { deliverSignals } from '#native';
