// The panes of a page by number: queue, work, context.

/** Puts the focus into a pane: on its row, or on the pane itself. False when the pane is not on the screen. */
export function focusPane(pane: 1 | 2 | 3): boolean {
  const element = document.querySelector<HTMLElement>(`[data-pane="${pane}"]`);
  if (!element || element.offsetParent === null) return false;
  (element.querySelector<HTMLElement>('[data-row-focus][tabindex="0"]') ?? element).focus();
  return true;
}
