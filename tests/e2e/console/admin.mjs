// The administration: users whose password is shown once and who are out at once when disabled, tokens shown once and refused
// when revoked, a channel tested, the audit log.
//
// {staff, screenshots?: folder}; returns what each step saw
import { journey, logIn, SCREENS } from './harness.mjs';

const EXPECTED = [/status of 401/, /status of 409/];

await journey(async ({ base, given, staff, open, judge }) => {
  const look = async (page, name) => {
    await judge(page, name);
    if (given.screenshots) await page.screenshot({ path: `${given.screenshots}/${name.replaceAll(' ', '-')}.png` });
  };
  // Options of a list hold the same words.
  const told = (page, text) => page.getByText(text).locator('visible=true').first().waitFor();

  // Users: a supervisor is made, logs in with the password that was shown, and is locked out again.
  const admin = await open({ expected: EXPECTED });
  await logIn(admin, base, staff('admin'), '/admin');
  await admin.getByRole('rowheader', { name: 'agent1' }).waitFor();
  await look(admin, 'admin users');
  await admin.keyboard.press('n');
  const dialog = admin.getByRole('dialog');
  await dialog.locator('input[name="new-login"]').fill('new-supervisor');
  await dialog.locator('input[name="new-name"]').fill('王敏');
  await dialog.getByLabel('角色').selectOption('supervisor');
  await look(admin, 'admin new user');
  await admin.keyboard.press('Enter');
  await dialog.locator('[data-secret]').waitFor();
  const password = await dialog.locator('[data-secret]').innerText();
  await look(admin, 'admin password');
  await admin.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  const shownAgain = (await admin.locator('body').innerText()).includes(password);
  const recruit = await open({ expected: EXPECTED });
  await logIn(recruit, base, { login: 'new-supervisor', password }, '/health');
  await recruit.locator('[data-adds-up]').waitFor();
  await admin.getByRole('button', { name: '对 new-supervisor 的操作' }).click();
  await admin.getByRole('menuitem', { name: '停用' }).click();
  await admin.getByRole('alertdialog').getByRole('button', { name: '停用' }).click();
  await admin.getByRole('row').filter({ hasText: 'new-supervisor' }).getByText('停用于').waitFor();
  const shut = await recruit.evaluate(async () => (await fetch('/api/v1/session')).status);
  await recruit.context().close();

  // Tokens: shown once, good at once, refused when revoked.
  await admin.keyboard.press('2');
  await admin.getByRole('button', { name: '新建令牌' }).click();
  await dialog.locator('input[name="token-name"]').fill('水务局工单系统');
  await admin.keyboard.press('Enter');
  await dialog.locator('[data-secret]').waitFor();
  const token = await dialog.locator('[data-secret]').innerText();
  await admin.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  const tokenShownAgain = (await admin.locator('body').innerText()).includes(token);
  const bearer = async () => (await fetch(`${base}/api/v1/tickets`, { headers: { authorization: `Bearer ${token}` } })).status;
  const good = await bearer();
  await admin.getByRole('button', { name: '吊销 水务局工单系统' }).click();
  await admin.getByRole('alertdialog').getByRole('button', { name: '吊销' }).click();
  await admin.getByRole('row').filter({ hasText: '水务局工单系统' }).getByText('已吊销').waitFor();
  const revoked = await bearer();
  await look(admin, 'admin tokens');

  await admin.keyboard.press('3');
  await admin.getByRole('button', { name: '立即测试 demo' }).click();
  await admin.locator('[data-account="demo"] [data-findings] li').first().waitFor();
  await look(admin, 'admin channels');

  await admin.keyboard.press('4');
  await admin.getByLabel('操作', { exact: true }).selectOption('token.created');
  await admin.getByRole('button', { name: '查询' }).click();
  await admin.waitForFunction(() => {
    const rows = [...document.querySelectorAll('tbody tr')];
    return rows.length > 0 && rows.every((row) => row.textContent.includes('新建令牌'));
  });
  await look(admin, 'admin audit');
  await admin.context().close();

  // The other language, dark, on a phone.
  const overflow = [];
  const small = await open({ language: 'en', theme: 'dark', screen: SCREENS.phone, expected: EXPECTED });
  await logIn(small, base, staff('admin'), '/admin');
  for (const [key, name, sign] of [
    ['1', 'users', 'handler-'],
    ['2', 'tokens', 'revoked'],
    ['3', 'channels', 'Test now'],
    ['4', 'audit', 'Token created'],
  ]) {
    await small.keyboard.press(key);
    await told(small, sign);
    await look(small, `small ${name}`);
    if (await small.evaluate(() => document.documentElement.scrollWidth > innerWidth)) overflow.push(name);
  }
  return { shownAgain, shut, tokenShownAgain, good, revoked, overflow };
});
