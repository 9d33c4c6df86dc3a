// Who is logged in. The session itself is a cookie that scripts cannot read.
import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';

import { api, call, onSessionEnd, type Schema } from '@/api/client';
import { Failure } from '@/api/failure';

export type Me = Schema<'Me'>;
export type Role = Schema<'Role'>;

export const useSession = defineStore('session', () => {
  const me = shallowRef<Me>();
  /** Whether the session has ended under the open page. */
  const ended = ref(false);
  let waiting: ((renewed: boolean) => void)[] = [];

  function settle(renewed: boolean): void {
    ended.value = false;
    waiting.forEach((resolve) => resolve(renewed));
    waiting = [];
  }

  onSessionEnd(() => {
    // At the login page there is nothing to keep.
    if (!me.value) return Promise.resolve(false);
    ended.value = true;
    return new Promise((resolve) => waiting.push(resolve));
  });

  /** Asks the hub who one is; false when nobody. */
  async function resume(): Promise<boolean> {
    try {
      me.value = await call(api.GET('/api/v1/session'));
      return true;
    } catch (thrown) {
      if (Failure.from(thrown).status === 401) return false;
      throw thrown;
    }
  }

  async function logIn(login: string, password: string): Promise<void> {
    me.value = await call(api.POST('/api/v1/session', { body: { login, password } }));
  }

  /** Goes on with the open page. Refuses somebody else, who must not get this page's data and texts. */
  async function renew(login: string, password: string): Promise<void> {
    const next = await call(api.POST('/api/v1/session', { body: { login, password } }));
    if (next.id !== me.value?.id) {
      await api.DELETE('/api/v1/session');
      throw new Failure('other_person', 403, 'another person has logged in');
    }
    me.value = next;
    settle(true);
  }

  async function logOut(): Promise<void> {
    if (!ended.value) await call(api.DELETE('/api/v1/session'));
    me.value = undefined;
    settle(false);
  }

  /** Called when something other than a request found the session gone, such as the feed. */
  async function check(): Promise<void> {
    if (me.value && !ended.value && !(await resume().catch(() => true))) ended.value = true;
  }

  const role = computed<Role | undefined>(() => me.value?.role);
  return { me, role, ended, resume, logIn, renew, logOut, check };
});
