/** The commands, in the order of the help. Each makes its commander `Command`: name, description, options, arguments and an action. */
import type { Command } from 'commander';
import type { CommandIo } from '../io.js';
import { cancelCommand } from './cancel.js';
import { decodeCommand } from './decode.js';
import { recordCommand } from './record.js';
import { replayCommand } from './replay.js';

export const COMMANDS: readonly ((io: CommandIo) => Command)[] = [
  cancelCommand,
  decodeCommand,
  recordCommand,
  replayCommand,
];
