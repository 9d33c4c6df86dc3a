// What lists and tables of any length share: only the rows in view exist, one of them can be reached by Tab, and keys move it.
import { useVirtualizer, type VirtualItem } from '@tanstack/vue-virtual';
import { computed, nextTick, ref, watch, type ComputedRef, type Ref } from 'vue';

interface Rows {
  /** The rows that exist now. */
  rows: ComputedRef<VirtualItem[]>;
  /** Heights of what is left out above and below. */
  above: ComputedRef<number>;
  below: ComputedRef<number>;
  /** The row that Tab reaches. */
  active: Ref<number>;
  /** Puts the focus on a row, wherever it is. */
  focus: (index: number) => Promise<void>;
  /** Handles a key on the list; true when it moved. */
  move: (event: KeyboardEvent) => boolean;
  measure: (element: Element | null) => void;
}

/** How many rows before the end the next page is asked for. */
const AHEAD = 15;

export function useRows(box: Ref<HTMLElement | undefined>, count: () => number, rowHeight: () => number, keyOf: (index: number) => string, end: () => void, shown?: (first: number, last: number) => void): Rows {
  const virtualizer = useVirtualizer(
    computed(() => ({
      count: count(),
      getScrollElement: () => box.value ?? null,
      estimateSize: rowHeight,
      getItemKey: keyOf,
      overscan: 8,
    })),
  );
  const rows = computed(() => virtualizer.value.getVirtualItems());
  const active = ref(0);

  watch(count, (now) => {
    if (active.value >= now) active.value = Math.max(0, now - 1);
  });
  watch(
    () => rows.value.at(-1)?.index,
    (last) => {
      if (last !== undefined && last >= count() - AHEAD) end();
    },
  );

  watch([() => rows.value[0]?.index, () => rows.value.at(-1)?.index], ([first, last]) => {
    if (first !== undefined && last !== undefined) shown?.(first, last);
  });

  async function focus(index: number): Promise<void> {
    if (count() === 0) return;
    active.value = Math.min(Math.max(index, 0), count() - 1);
    virtualizer.value.scrollToIndex(active.value, { align: 'auto' });
    // The row may have to be made first.
    await nextTick();
    const find = (): HTMLElement | null | undefined =>
      box.value?.querySelector<HTMLElement>(`[data-row="${active.value}"] [data-row-focus], [data-row="${active.value}"][data-row-focus]`);
    const row = find();
    if (row) row.focus({ preventScroll: true });
    else requestAnimationFrame(() => find()?.focus({ preventScroll: true }));
  }

  function move(event: KeyboardEvent): boolean {
    const page = Math.max(1, Math.floor((box.value?.clientHeight ?? 0) / rowHeight()) - 1);
    const targets: Record<string, number> = {
      ArrowDown: active.value + 1,
      ArrowUp: active.value - 1,
      PageDown: active.value + page,
      PageUp: active.value - page,
      Home: 0,
      End: count() - 1,
    };
    const target = targets[event.key];
    if (target === undefined || event.ctrlKey || event.metaKey || event.altKey) return false;
    event.preventDefault();
    void focus(target);
    return true;
  }

  return {
    rows,
    above: computed(() => rows.value[0]?.start ?? 0),
    below: computed(() => virtualizer.value.getTotalSize() - (rows.value.at(-1)?.end ?? 0)),
    active,
    focus,
    move,
    measure: (element) => {
      if (element instanceof HTMLElement) virtualizer.value.measureElement(element);
    },
  };
}

/** The height of a row by the density token, in pixels. */
export function densityHeight(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--row')) || 64;
}
