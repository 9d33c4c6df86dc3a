import type { RouteRecordRaw } from 'vue-router';

export default [
  {
    path: '/queue',
    name: 'queue',
    component: () => import('./QueuePage.vue'),
    meta: { title: 'queue.title', roles: ['agent', 'supervisor', 'admin'], nav: { icon: 'queue', letter: 'q' } },
  },
  {
    // The same page with a ticket open. A ticket's number has thirteen digits or more: no telephone number can stand here.
    path: '/queue/:number(\\d{13,18})',
    name: 'queue-ticket',
    component: () => import('./QueuePage.vue'),
    meta: { title: 'queue.title', roles: ['agent', 'supervisor', 'admin'] },
  },
] satisfies RouteRecordRaw[];
