import type { RouteRecordRaw } from 'vue-router';

export default [
  {
    path: '/desk',
    name: 'desk',
    component: () => import('./DeskPage.vue'),
    meta: { title: 'desk.title', roles: ['handler', 'supervisor', 'admin'], nav: { icon: 'desk', letter: 'd' } },
  },
  {
    // The same page with a ticket open beside the inbox, or over it on a phone.
    path: '/desk/:number(\\d+)',
    name: 'desk-ticket',
    component: () => import('./DeskPage.vue'),
    props: true,
    meta: { title: 'desk.title', roles: ['handler', 'supervisor', 'admin'] },
  },
] satisfies RouteRecordRaw[];
