/** The commands, in the order of the help. Each makes its commander `Command`: name, description, options, arguments and an action. */
import type { Command } from 'commander';
import type { CommandIo } from '../io.js';
import { cancelCommand } from './cancel.js';
import { completionCommand } from './completion.js';
import { decodeCommand } from './decode.js';
import { demoCommand } from './demo.js';
import { doctorCommand } from './doctor.js';
import { explainCommand } from './explain.js';
import { pingCommand } from './ping.js';
import { probeCommand } from './probe.js';
import { recordCommand } from './record.js';
import { replayCommand } from './replay.js';
import { signalCommand } from './signal.js';
import { terminateCommand } from './terminate.js';

export const COMMANDS: readonly ((io: CommandIo) => Command)[] = [
  cancelCommand,
  signalCommand,
  terminateCommand,
  probeCommand,
  pingCommand,
  explainCommand,
  decodeCommand,
  recordCommand,
  replayCommand,
  doctorCommand,
  demoCommand,
  completionCommand,
];
