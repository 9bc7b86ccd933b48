/** Text that others have made (job names, what a daemon says) without what a terminal would act on: nobody else writes on an operator's screen. */

/** For a part of one line: line breaks become visible, too. */
export function safeText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, shown);
}

/** For whole lines as they are written: line breaks, tabs and colours, which are our own, stay. */
export function safeLines(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
    /\u001b\[[\d;]*m|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (found) => (found.length > 1 ? found : shown(found)),
  );
}

function shown(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
