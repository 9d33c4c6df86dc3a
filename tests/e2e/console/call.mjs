// The call form and the calls to make: a screen pop that leaves no number in any address, what the hub knows while the agent
// types, an alarm, a draft that survives reload, a cut connection, the end of the session and a log-out, and the number at the end.
//
// {staff, secret: of the SMS account, from: a citizen's telephone, screenshots?: folder}; returns what each step saw
import { sms } from './citizen.mjs';
import { journey, logIn, SCREENS } from './harness.mjs';

const CUT = [/status of 401/, /ERR_INTERNET_DISCONNECTED/, /WebSocket connection/];
const SAID = '解放路128号煤气泄漏，楼道里味道很大，有老人晕倒';

await journey(async ({ base, given, staff, open, judge }) => {
  const { secret, from } = given;
  const agent = staff('agent');
  const picture = async (page, name) => {
    if (given.screenshots) await page.screenshot({ path: `${given.screenshots}/${name}.png` });
  };
  await sms(base, secret, from, '人民路的路灯坏了三天，晚上很黑');

  // The telephone system opens the form for somebody who has yet to log in: the number never stands in an address.
  const page = await open({ expected: CUT });
  const addresses = [];
  page.on('framenavigated', (frame) => addresses.push(frame.url()));
  page.on('request', (request) => addresses.push(request.url()));
  await page.goto(`${base}/console/call#from=${encodeURIComponent(from)}`);
  await page.locator('input[name="login"]').fill(agent.login);
  await page.locator('input[name="password"]').fill(agent.password);
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/call\/[0-9a-f]{32}$/);
  const said = page.locator('textarea[name="text"]');
  await said.waitFor();
  // The number is there already, so the caller speaks.
  await page.waitForFunction(() => document.activeElement?.getAttribute('name') === 'text');
  const popped = await page.locator('input[name="from"]').inputValue();
  const digits = from.replace(/\D/g, '');
  // The first one is the telephone system's own.
  const leaks = addresses.filter((address) => address.includes(digits)).slice(1);
  await page.locator('[data-history]').getByText('路灯坏了三天').waitFor();

  // What the hub would do, while it is typed; the fields stay where they are.
  const place = page.locator('input[name="place"]');
  const top = async () => (await place.boundingBox()).y;
  const before = await top();
  await page.keyboard.type(SAID.slice(0, 12));
  await said.fill(SAID);
  await page.locator('[data-emergency]').filter({ hasText: '119' }).waitFor();
  const alarm = await page.locator('[data-emergency]').allInnerTexts();
  await page.locator('aside').getByText('燃气').first().waitFor();
  const moved = (await top()) - before;
  await page.getByRole('combobox', { name: /代表谁来电/ }).selectOption('enterprise');
  await page.keyboard.press('F6');
  const chosen = page.getByRole('combobox', { name: '事项' });
  await page.waitForFunction((field) => field.value !== '', await chosen.elementHandle());
  const item = await chosen.inputValue();
  await judge(page, 'call form');
  await picture(page, 'call-form');

  // A reload and a cut connection lose nothing.
  await page.locator('[data-saved]').filter({ hasText: '草稿已于' }).waitFor();
  await page.reload();
  await page.waitForFunction((text) => document.querySelector('textarea[name="text"]')?.value === text, SAID);
  await page.context().setOffline(true);
  await place.fill('解放路128号三单元');
  await page.locator('[data-saved]').filter({ hasText: '本设备' }).waitFor();
  await page.keyboard.press('Control+Enter');
  const unsent = page.locator('[data-unsent="off"]');
  await unsent.waitFor();
  const offline = await unsent.innerText();
  await page.context().setOffline(false);
  await page.locator('[data-saved]').filter({ hasText: '草稿已于' }).waitFor();
  await page.locator('[data-unsent="back"]').waitFor();

  // The session ends under the form: log in over it, and the same filing goes through.
  await page.evaluate(() => fetch('/api/v1/session', { method: 'DELETE' }));
  await page.keyboard.press('Control+Enter');
  const renew = page.getByRole('dialog');
  await renew.locator('input[name="login"]').fill(agent.login);
  await renew.locator('input[name="password"]').fill(agent.password);
  await page.keyboard.press('Enter');
  await page.locator('[data-spoken]').waitFor();
  const spoken = await page.locator('[data-spoken]').innerText();
  const code = await page.locator('[data-code]').innerText();
  await judge(page, 'call filed');
  await picture(page, 'call-filed');

  // The next call by one key; it survives a log-out.
  await page.keyboard.press('n');
  await page.waitForFunction(() => document.activeElement?.getAttribute('name') === 'from');
  const emptied = (await said.inputValue()) === '';
  await said.fill('想咨询公交卡怎么办理');
  await page.locator('[data-saved]').filter({ hasText: '草稿已于' }).waitFor();
  await page.goto(`${base}/console/me`);
  await page.getByRole('button', { name: '退出登录' }).click();
  await page.locator('input[name="login"]').waitFor();
  await logIn(page, base, agent, '/call');
  await page.getByRole('link', { name: '想咨询公交卡怎么办理' }).click();
  await page.waitForFunction(() => document.querySelector('textarea[name="text"]')?.value === '想咨询公交卡怎么办理');

  // In the other language, dark, on the other screens.
  const overflow = [];
  for (const [name, screen] of Object.entries(SCREENS)) {
    const other = await open({ language: 'en', theme: 'dark', screen, expected: CUT });
    await logIn(other, base, agent, '/call');
    await other.locator('textarea[name="text"]').fill('The street light in Renmin Road has been out for three days');
    await other.getByRole('button', { name: /F6/ }).waitFor();
    await judge(other, `call form ${name}`);
    await picture(other, `call-form-en-dark-${name}`);
    if (await other.evaluate(() => document.documentElement.scrollWidth > innerWidth)) overflow.push(name);
    await other.context().close();
  }
  return { popped, leaks, alarm, moved, item, offline, spoken, code, emptied, overflow };
});
