/**
 * The statistics of the bench: pure functions on lists of numbers, whatever their unit.
 *
 * Medians and percentiles, not means: a run on a shared machine has a long tail to one side, which is the machine's
 * and not the program's.
 *
 * @module
 */

import type { Random } from './random.ts';

/** What is reported of one list of samples; the unit is that of the samples. */
export interface Summary {
  n: number;
  median: number;
  p10: number;
  p90: number;
  min: number;
  max: number;
  mean: number;
}

/** A ratio of two medians and its 95 % confidence interval. */
export interface Ratio {
  value: number;
  low: number;
  high: number;
}

function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

function quantileOfSorted(sorted: readonly number[], q: number): number {
  if (sorted.length === 0) return Number.NaN;
  const position = (sorted.length - 1) * q;
  const below = Math.floor(position);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (high - low) * (position - below);
}

/** The q-quantile (0 to 1) with linear interpolation between the two nearest samples; NaN of an empty list. */
export function quantile(values: readonly number[], q: number): number {
  return quantileOfSorted(ascending(values), q);
}

/** The middle sample, or the mean of the two middle ones; NaN of an empty list. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Summary of a list of samples; every figure but `n` is NaN when it is empty. */
export function summarize(values: readonly number[]): Summary {
  const sorted = ascending(values);
  return {
    n: sorted.length,
    median: quantileOfSorted(sorted, 0.5),
    p10: quantileOfSorted(sorted, 0.1),
    p90: quantileOfSorted(sorted, 0.9),
    min: quantileOfSorted(sorted, 0),
    max: quantileOfSorted(sorted, 1),
    mean: sorted.reduce((sum, v) => sum + v, 0) / sorted.length,
  };
}

function resampledMedian(values: readonly number[], random: Random): number {
  const drawn = new Array<number>(values.length);
  for (let i = 0; i < drawn.length; i++) drawn[i] = values[Math.floor(random() * values.length)] as number;
  return median(drawn);
}

/**
 * median(values) / median(reference), with a bootstrap confidence interval: both lists are drawn anew, with
 * replacement, and the middle 95 % of the ratios so found is the interval.
 *
 * @returns undefined when a list is empty or the reference's median is 0
 */
export function medianRatio(
  values: readonly number[],
  reference: readonly number[],
  random: Random,
  resamples = 500,
): Ratio | undefined {
  const below = median(reference);
  if (values.length === 0 || reference.length === 0 || below === 0) return undefined;
  const ratios: number[] = [];
  for (let i = 0; i < resamples; i++) {
    const divisor = resampledMedian(reference, random);
    if (divisor !== 0) ratios.push(resampledMedian(values, random) / divisor);
  }
  return { value: median(values) / below, low: quantile(ratios, 0.025), high: quantile(ratios, 0.975) };
}
