// The queue: live, still under the cursor, found by words and by a contact that stands in no address, and whole again after
// the connection was cut while hundreds of events passed.
//
// {staff, secret: of the SMS account, from: a citizen's telephone, screenshots?: folder}; returns what each step saw; `listed`
// are the numbers of the tickets from the first row to the last
import { sms } from './citizen.mjs';
import { journey, logIn, SCREENS, theme } from './harness.mjs';

const CUT = [/WebSocket connection/, /status of 401/];
/** Tickets that come in while the connection is cut: two events each, three pages of the list. */
const MISSED = 220;

/** Scrolls through the whole list; resolves to the ticket of each row, by its place. */
async function everyRow(page) {
  const found = new Map();
  const list = await page.locator('[data-pane="1"] [role="list"]').elementHandle();
  for (;;) {
    // Every place in view has its ticket, and below the last there is either more or the end.
    await page.waitForFunction((list) => {
      const box = list.parentElement.getBoundingClientRect();
      const places = [...list.querySelectorAll('[data-row]')].filter((row) => row.getBoundingClientRect().bottom > box.top && row.getBoundingClientRect().top < box.bottom);
      const last = places.at(-1);
      const isEnd = last && Number(last.ariaSetSize) === Number(last.dataset.row) + 1;
      return places.length > 0 && places.every((row) => row.querySelector('[data-row-focus]')) && (isEnd || last.getBoundingClientRect().bottom >= box.bottom);
    }, list);
    const { rows, isEnd } = await page.evaluate((list) => {
      const rows = [...list.querySelectorAll('[data-row]')];
      const box = list.parentElement;
      const last = rows.at(-1);
      return {
        rows: rows.flatMap((row) => (row.querySelector('a') ? [[Number(row.dataset.row), row.querySelector('a').getAttribute('href').match(/\d{13,}/)[0]]] : [])),
        isEnd: Number(last.ariaSetSize) === Number(last.dataset.row) + 1 && box.scrollTop + box.clientHeight >= box.scrollHeight - 1,
      };
    }, list);
    for (const [place, number] of rows) found.set(place, number);
    if (isEnd) return found;
    await page.evaluate((list) => list.parentElement.scrollBy({ top: list.parentElement.clientHeight / 2 }), list);
  }
}

await journey(async ({ base, given, staff, open, judge }) => {
  const { secret, from } = given;
  const picture = async (page, name) => {
    if (given.screenshots) await page.screenshot({ path: `${given.screenshots}/${name}.png` });
  };
  const say = (text, number = from) => sms(base, secret, number, text);
  const rows = (page) => page.locator('[data-pane="1"] [data-row-focus]');
  const subjects = async (page) => (await rows(page).allInnerTexts()).map((text) => text.split('\n')[1] ?? text);
  const shown = (page, text) => rows(page).filter({ hasText: text }).first().waitFor();
  const agent = staff('agent');

  await say('西湖区文三路的路灯坏了，晚上很黑');
  await say('小区楼下烧烤店深夜噪音扰民', '+8613800138055');

  const page = await open({ expected: CUT });
  let feed;
  let isCut = false;
  await page.routeWebSocket(/\/api\/v1\/feed/, (socket) => {
    // While cut, nobody gets through.
    if (isCut) void socket.close({ code: 1012, reason: 'cut by the journey' });
    else {
      socket.connectToServer();
      feed = socket;
    }
  });
  await logIn(page, base, agent, '/queue');
  await shown(page, '路灯');
  await page.keyboard.press('j');
  await page.waitForFunction(() => document.activeElement?.hasAttribute('data-row-focus'));
  // A row's text may lawfully change while one stands on it, such as the time that is left.
  const standing = () => page.evaluate(() => document.activeElement?.getAttribute('href'));
  const before = await standing();
  const order = () => rows(page).evaluateAll((all) => all.map((row) => row.getAttribute('href')).join());
  const still = await order();

  // A message comes in: it is announced and nothing moves; the key shows it, and who stood on a row still does.
  await say('解放路水管爆裂，路面全是水', '+8613800138066');
  await page.getByRole('button', { name: '1 件新工单' }).waitFor();
  const unmoved = (await order()) === still && (await standing()) === before;
  await page.keyboard.press('.');
  await shown(page, '水管爆裂');
  await page.waitForFunction((at) => document.activeElement?.getAttribute('href') === at, before);

  // A colleague takes the ticket: the row changes where it stands.
  const number = (await rows(page).filter({ hasText: '路灯' }).getAttribute('href')).split('/').pop();
  await page.evaluate(async (at) => {
    const { version } = await (await fetch(`/api/v1/tickets/${at}`)).json();
    await fetch(`/api/v1/tickets/${at}/take`, { method: 'POST', headers: { 'content-type': 'application/json', 'yingda-console': '1' }, body: JSON.stringify({ version }) });
  }, number);
  await rows(page).filter({ hasText: '路灯' }).filter({ hasText: '→' }).waitFor();

  // Filters stand in the address and survive a reload; the counts say what a choice would show.
  await page.keyboard.press('f');
  const facets = page.locator('[role="group"]', { hasText: '排序' });
  // The number beside a choice follows what has come in.
  const sms_choice = facets.getByRole('button', { name: '短信' });
  await sms_choice.filter({ hasText: '3' }).waitFor();
  const sms_count = await sms_choice.innerText();
  await judge(page, 'filters');
  await sms_choice.click();
  await page.waitForURL(/channel=sms/);
  await page.reload();
  await shown(page, '水管爆裂');
  const address = page.url().replace(base, '');
  await page.goto(`${base}/console/queue`);
  await shown(page, '水管爆裂');

  // Two characters find it; a telephone number opens the search that stands in no address.
  await page.keyboard.press('/');
  await page.keyboard.type('噪音');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelectorAll('[data-pane="1"] [data-row-focus]').length === 1);
  const found = await subjects(page);
  const searched = page.url().replace(base, '');
  await page.locator('input[type="search"]').fill(from);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: '查找' }).click();
  await page.getByRole('dialog').locator('[data-row-focus]').first().waitFor();
  const contact = { rows: await page.getByRole('dialog').locator('[data-row-focus]').count(), address: decodeURIComponent(page.url()).includes(from.slice(-8)) };
  await judge(page, 'contact search');
  await picture(page, 'contact-search');
  await page.keyboard.press('Escape');
  await page.locator('input[type="search"]').fill('');
  await page.keyboard.press('Enter');
  await shown(page, '水管爆裂');

  // Cut: the banner says so; hundreds of events pass; then each ticket is counted, and stands in the list once.
  isCut = true;
  await feed.close({ code: 1012, reason: 'cut by the journey' });
  const banner = await page.getByText('未能实时更新').first().innerText();
  const total = (wanted) => page.waitForFunction((wanted) => Number(document.querySelector('[data-total]')?.dataset.total) === wanted, wanted);
  await total(3);
  const many = Array.from({ length: MISSED }, (_, index) => index);
  for (let at = 0; at < many.length; at += 10) {
    await Promise.all(many.slice(at, at + 10).map((index) => say(`第${index}号路灯坏了`, `+86138002${String(10000 + index)}`)));
  }
  isCut = false;
  // The console tries again by itself; coming back to the window hurries it.
  await page.evaluate(() => dispatchEvent(new Event('online')));
  const waiting = await page.getByRole('button', { name: '100 件以上新工单' }).innerText();
  await total(3 + many.length);
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.activeElement?.hasAttribute('data-row-focus'));
  await page.keyboard.press('.');
  await page.getByRole('button', { name: '件以上新工单' }).waitFor({ state: 'detached' });
  const places = await everyRow(page);
  const listed = [...places.keys()].sort((one, other) => one - other).map((place) => places.get(place));
  await page.context().close();

  // Every size in both languages and themes.
  const overflow = [];
  for (const language of ['zh-CN', 'en']) {
    const view = await open({ language, expected: CUT });
    await logIn(view, base, agent, '/queue');
    await rows(view).first().waitFor();
    for (const shade of ['light', 'dark']) {
      await theme(view, shade);
      for (const [name, screen] of Object.entries(SCREENS)) {
        await view.setViewportSize(screen);
        if (await view.evaluate(() => document.documentElement.scrollWidth > innerWidth)) overflow.push(`${language} ${name}`);
        await picture(view, `queue-${language}-${shade}-${name}`);
        // Every language and theme on the desk's screen; each of both once on the phone's.
        if (name === 'desk' || (name === 'phone' && (language === 'en') === (shade === 'dark'))) await judge(view, `queue ${language} ${shade} ${name}`);
      }
    }
    await view.context().close();
  }
  return { listed, unmoved, sms_count, address, found, searched, contact, banner, waiting, overflow };
});
