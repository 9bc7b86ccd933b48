/** How a cost grows: the exponent of the power of n that it follows. */

export type Point = readonly [n: number, cost: number];

/**
 * The slope of the straight line through the points on two logarithmic scales, by least squares: 1 is linear. Only points of the upper
 * two decades count: below them a fixed cost hides what grows.
 */
export function exponent(points: readonly Point[]): number {
  const largest = Math.max(...points.map(([n]) => n));
  const upper = points.filter(([n]) => n * 100 >= largest).map(([n, cost]) => [Math.log(n), Math.log(cost)]);
  const mean = (at: 0 | 1) => upper.reduce((sum, pair) => sum + (pair[at] ?? 0), 0) / upper.length;
  const [x, y] = [mean(0), mean(1)];
  const top = upper.reduce((sum, [a = 0, b = 0]) => sum + (a - x) * (b - y), 0);
  return top / upper.reduce((sum, [a = 0]) => sum + (a - x) ** 2, 0);
}

/** Linear, and 0.05 for what is measured unsteadily: over two decades a quarter more than linear. */
export const LINEAR = 1.05;
