import type { RouteRecordRaw } from 'vue-router';

import { cleanAddress } from './screenPop';

// Before the router reads the address.
cleanAddress();

const roles: ('agent' | 'supervisor' | 'admin')[] = ['agent', 'supervisor', 'admin'];

export default [
  {
    path: '/call',
    name: 'call',
    component: () => import('./CallPage.vue'),
    meta: { title: 'call.title', roles, nav: { icon: 'call', letter: 'c' } },
  },
  {
    // The id of a call that is being written down; it names nobody.
    path: '/call/:id([0-9a-f-]{32,36})',
    name: 'call-form',
    component: () => import('./CallPage.vue'),
    props: true,
    meta: { title: 'call.title', roles },
  },
  {
    path: '/call-tasks',
    name: 'call-tasks',
    component: () => import('./CallTasksPage.vue'),
    meta: { title: 'call.tasks.title', roles, nav: { icon: 'callback', letter: 'p' } },
  },
] satisfies RouteRecordRaw[];
