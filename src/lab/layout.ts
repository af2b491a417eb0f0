import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ShoalError } from '../model/errors.js';

/** Hosts a lab may have: the addresses below leave room for no more, and so does a laptop. */
export const hostsMax = 30;

/** Where one lab keeps its things, and what they are called. Nothing here touches the machine. */
export class Layout {
  readonly directory: string;

  constructor(
    readonly name: string,
    directory?: string,
  ) {
    if (!/^[a-z][a-z0-9]{0,7}$/.test(name)) {
      throw new ShoalError(
        'invalid-argument',
        `--name ${JSON.stringify(name)}: a lab's name is 1 to 8 lower-case letters and digits, a letter first`,
      );
    }
    this.directory = directory ?? join(tmpdir(), `shoal-lab-${name}`);
  }

  get stateFile() {
    return join(this.directory, 'lab.json');
  }
  get imageFile() {
    return join(this.directory, 'image.tar');
  }
  /** Network namespace of the switch that joins the hosts. */
  get switchNamespace() {
    return `${this.name}-switch`;
  }
  /** Network namespace of a client that is outside the cluster. */
  get clientNamespace() {
    return `${this.name}-client`;
  }
  get gatewayAddress() {
    return '10.99.0.1';
  }
  get clientAddress() {
    return '10.99.0.100';
  }

  host(index: number): HostLayout {
    return new HostLayout(this, index);
  }
}

export class HostLayout {
  constructor(
    readonly lab: Layout,
    readonly index: number,
  ) {}

  get name() {
    return `node${this.index}`;
  }
  get address() {
    return `10.99.0.${10 + this.index}`;
  }
  /** Fixed, so that its neighbours keep their ARP entry over a reboot. */
  get mac() {
    return `02:99:00:00:00:${this.index.toString(16).padStart(2, '0')}`;
  }
  get namespace() {
    return `${this.lab.name}-${this.name}`;
  }
  get namespaceFile() {
    return `/run/netns/${this.namespace}`;
  }
  /** The host's port on the switch. */
  get switchPort() {
    return `port${this.index}`;
  }
  get directory() {
    return join(this.lab.directory, this.name);
  }
  get dataDirectory() {
    return join(this.directory, 'docker');
  }
  get stateDirectory() {
    return join(this.directory, 'shoal');
  }
  get engineSocket() {
    return join(this.directory, 'docker.sock');
  }
  get apiSocket() {
    return join(this.directory, 'shoal.sock');
  }
  get engineLog() {
    return join(this.directory, 'dockerd.log');
  }
  get daemonLog() {
    return join(this.directory, 'shoal.log');
  }
  get cgroupParent() {
    return `shoal-lab-${this.lab.name}-${this.index}`;
  }
}
