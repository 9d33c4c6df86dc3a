// Letters and digits that are not mistaken for each other when read out.
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';
const LENGTH = 16;

/** A password nobody has chosen: 16 characters of 31, about 79 bits. */
export function freshPassword(): string {
  let password = '';
  while (password.length < LENGTH) {
    for (const byte of crypto.getRandomValues(new Uint8Array(LENGTH))) {
      // Only whole rounds of the alphabet, so that every character is equally likely.
      if (byte < 256 - (256 % ALPHABET.length) && password.length < LENGTH) password += ALPHABET[byte % ALPHABET.length];
    }
  }
  return password;
}
