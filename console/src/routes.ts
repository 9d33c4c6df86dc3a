// Every page. A folder keeps its own in `routes.ts`; pages are loaded when they are first opened.
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router';

import admin from './admin/routes';
import call from './call/routes';
import desk from './desk/routes';
import health from './health/routes';
import type { IconName } from './components/icons';
import queue from './queue/routes';
import { useSession, type Role } from './session/store';
import settings from './settings/routes';
import ticket from './ticket/routes';

declare module 'vue-router' {
  interface RouteMeta {
    /** Key of the title in the catalogue. */
    title?: string;
    /** Who may open it; everybody who is logged in when left out. */
    roles?: Role[];
    /** Its place in the rail: icon, and the letter after `g` that leads there. */
    nav?: { icon: IconName; letter: string };
    /** Open to nobody in particular: the login page. */
    isOpen?: boolean;
  }
}

const pages: RouteRecordRaw[] = [...queue, ...ticket, ...call, ...desk, ...health, ...admin, ...settings];

/** Where each role begins. */
const HOME: Record<Role, string> = { agent: '/queue', handler: '/desk', supervisor: '/queue', admin: '/admin' };

export function home(role: Role): string {
  return HOME[role];
}

/** The pages of the rail for a role, in order. */
export function navigation(role: Role): RouteRecordRaw[] {
  return pages.filter(({ meta }) => meta?.nav && (!meta.roles || meta.roles.includes(role)));
}

export const router = createRouter({
  history: createWebHistory('/console/'),
  routes: [
    { path: '/login', name: 'login', component: () => import('./session/LoginPage.vue'), meta: { title: 'session.title', isOpen: true } },
    { path: '/', name: 'home', component: () => import('./shell/MissingPage.vue') },
    ...pages,
    { path: '/:rest(.*)*', name: 'missing', component: () => import('./shell/MissingPage.vue'), meta: { title: 'shell.missing.title' } },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
});

router.beforeEach(async (to) => {
  const session = useSession();
  if (to.meta.isOpen) return true;
  if (!session.me && !(await session.resume())) {
    return { name: 'login', query: to.name === 'home' ? {} : { to: to.fullPath } };
  }
  const role = session.me?.role;
  if (!role) return { name: 'login' };
  if (to.name === 'home') return home(role);
  if (to.meta.roles && !to.meta.roles.includes(role)) return home(role);
  return true;
});
