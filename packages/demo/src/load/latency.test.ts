import { expect, test } from 'vitest';
import { Latency } from './latency.ts';

test('latency: quantiles: within 3 % of the exact ones', () => {
  const latency = new Latency();
  for (let ms = 1; ms <= 1_000; ms += 1) latency.add(ms);
  for (const part of [0.5, 0.99, 1]) {
    expect(latency.quantile(part)).toBeGreaterThanOrEqual(part * 1_000 * 0.97);
    expect(latency.quantile(part)).toBeLessThanOrEqual(part * 1_000 * 1.03);
  }
});

test('latency: nothing measured: 0', () => {
  expect(new Latency().quantile(0.99)).toBe(0);
});
