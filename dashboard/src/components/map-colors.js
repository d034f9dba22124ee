import { extent } from "../measures.js";

// Around a pivot two colours, else one ramp; both are told apart without red and green. High values stand
// out from the page: dark ones on a light page, light ones on a dark page.
export function ramp(measure, domain) {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const isRamp = measure.pivot === undefined;
  return {
    type: isRamp ? "linear" : "diverging",
    pivot: measure.pivot,
    domain,
    scheme: isRamp ? "viridis" : "PuOr",
    reverse: isRamp && !isDark,
    label: null,
  };
}

export const colorScale = (context, measure) => ramp(measure, extent(context.store, measure));
