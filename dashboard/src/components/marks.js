// Plot labels its groups of marks in English ("dot", "line") on elements that may not bear a name.
export function plainMarks(svg) {
  for (const group of svg.querySelectorAll("g[aria-label]")) group.removeAttribute("aria-label");
  for (const group of svg.querySelectorAll("g[aria-description]")) group.removeAttribute("aria-description");
}
