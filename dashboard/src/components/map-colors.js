import { extent } from "../measures.js";

// Around a pivot two colours, else one ramp; both are told apart without red and green.
export function colorScale(context, measure) {
  return {
    type: measure.pivot === undefined ? "linear" : "diverging",
    pivot: measure.pivot,
    domain: extent(context.store, measure),
    scheme: measure.pivot === undefined ? "viridis" : "PuOr",
    reverse: measure.pivot === undefined,
    label: null,
  };
}
