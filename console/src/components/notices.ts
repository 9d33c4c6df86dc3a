import { defineStore } from 'pinia';
import { ref } from 'vue';

export interface Notice {
  id: number;
  text: string;
  detail?: string;
  tone: 'done' | 'error';
  /** Something that can be done about it for ten seconds, such as undo. */
  action?: { label: string; run: () => void };
}

/** Short notices at the edge of the screen: `useNotices().add({ tone: 'done', text })`. */
export const useNotices = defineStore('notices', () => {
  const notices = ref<Notice[]>([]);
  let last = 0;

  function add(notice: Omit<Notice, 'id'>): void {
    last += 1;
    notices.value.push({ ...notice, id: last });
  }

  function remove(id: number): void {
    notices.value = notices.value.filter((notice) => notice.id !== id);
  }

  return { notices, add, remove };
});
