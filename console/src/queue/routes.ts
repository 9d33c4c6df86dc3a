import type { RouteRecordRaw } from 'vue-router';

export default [
  {
    path: '/queue',
    name: 'queue',
    component: () => import('./QueuePage.vue'),
    meta: { title: 'queue.title', roles: ['agent', 'supervisor', 'admin'], nav: { icon: 'queue', letter: 'q' } },
  },
] satisfies RouteRecordRaw[];
