import { nextTick, ref, watch, type Ref } from 'vue';
import { useI18n } from 'vue-i18n';
import { useRoute, useRouter } from 'vue-router';

import { cityName } from '@/city';
import type { Language } from '@/i18n';

/** What a page of its own would do: title, focus on the heading, and a word to screen readers. Returns that word. */
export function usePageChange(): Ref<string> {
  const { t, locale } = useI18n();
  const route = useRoute();
  const router = useRouter();
  const announced = ref('');
  const title = (): string => (route.meta.title ? t(route.meta.title) : '');

  watch(
    [() => route.meta.title, locale],
    () => {
      document.title = [title(), cityName(locale.value as Language)].filter(Boolean).join(' · ');
    },
    { immediate: true },
  );
  router.afterEach(async (to, from) => {
    // The first page has the browser's own start; a change within a page keeps the focus where it is.
    if (from.matched.length === 0 || to.name === from.name) return;
    await nextTick();
    announced.value = title();
    // A page that has put the focus somewhere itself, such as into a field, keeps it.
    if (document.activeElement === document.body || document.activeElement === null || document.activeElement.closest('nav')) {
      document.querySelector<HTMLElement>('[data-page-heading]')?.focus();
    }
  });
  return announced;
}
