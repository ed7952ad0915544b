/** Known ways out of a container, and what closes each: data for the tests. The attempts themselves are in ways_out/. */
import type { Guard } from "./guards.ts";

export interface Way {
  /** Each of these sets, taken away as a whole, opens it; one guard less, and it is closed. None: see the attempt. */
  readonly opens: readonly (readonly Guard[])[];
  /** What the attempt says where this kernel does not have what it needs. */
  readonly lacks?: RegExp;
  /** A capability without which it does not open, and which not every host's root has. */
  readonly needs?: string;
}

const by = (...guards: Guard[]): Way => ({ opens: [guards] });
const orBy = (way: Way, ...guards: Guard[]): Way => ({ ...way, opens: [...way.opens, guards] });
const onlyIf = (lacks: RegExp, way: Way): Way => ({ ...way, lacks });

const noSuchCall = /ENOSYS/;
const noSuchFile = /ENOENT/;
const noSuchDevice = /ENXIO|ENODEV/;
const noSuchSocket = /EAFNOSUPPORT|EPROTONOSUPPORT/;

/** What only the host's own root may do. */
const hostRoot = by("seccomp", "capabilities", "userNamespace");
const hostProcess = by("processNamespace", "userNamespace");
const hostSetting = by("readonlySys", "userNamespace");

/** By the name of the attempt. */
export const ways: Readonly<Record<string, Way>> = {
  own_user_namespace: by("seccomp"),
  clone_user_namespace: by("seccomp"),
  clone3_user_namespace: by("seccomp"),
  mount: by("seccomp", "capabilities"),
  mount_by_descriptor: by("seccomp", "capabilities"),
  make_mounts_writable: by("seccomp", "capabilities"),
  take_off_mounts: by("seccomp", "capabilities"),
  pivot_root: by("seccomp", "capabilities"),
  chroot_and_climb: { opens: [] },
  enter_host_namespace: by("processNamespace", "seccomp", "capabilities", "userNamespace"),
  open_by_handle: hostRoot,

  see_host_process: by("processNamespace"),
  read_host_environment: hostProcess,
  host_root_by_proc: hostProcess,
  signal_host_process: hostProcess,
  trace_host_process: hostProcess,
  read_host_memory: hostProcess,
  take_host_descriptor: by("processNamespace", "seccomp", "userNamespace"),

  add_key: by("seccomp"),
  request_key: by("seccomp"),
  keyctl: by("seccomp"),
  bpf: hostRoot,
  perf_event_open: hostRoot,
  userfaultfd: by("seccomp"),
  io_uring: by("seccomp"),
  fanotify: by("seccomp"),
  kexec_load: onlyIf(noSuchCall, hostRoot),
  load_module: onlyIf(noSuchCall, hostRoot),
  ioperm: onlyIf(noSuchCall, hostRoot),
  reboot: by("processNamespace", "seccomp", "capabilities", "userNamespace"),
  swapon: hostRoot,
  acct: hostRoot,
  quotactl: onlyIf(noSuchCall, by("seccomp")),
  clock_settime: hostRoot,
  clock_adjtime: by("capabilities", "userNamespace"),
  see_host_name: by("hostNameNamespace"),
  set_host_name: by("hostNameNamespace", "seccomp", "capabilities", "userNamespace"),
  personality: by("seccomp"),
  kernel_log: hostRoot,
  calls_of_32_bits: onlyIf(/ENOSYS|SIGSEGV/, by("seccomp")),
  calls_of_x32: onlyIf(noSuchCall, by("seccomp")),

  core_pattern: by("readonlyPaths", "userNamespace"),
  network_settings: orBy(by("readonlyPaths", "capabilities"), "readonlyPaths", "userNamespace"),
  sysrq: onlyIf(noSuchFile, by("readonlyPaths", "userNamespace")),
  kcore: onlyIf(noSuchFile, by("maskedPaths", "capabilities", "userNamespace")),
  kmsg: by("capabilities", "userNamespace"),
  masked_files: by("maskedPaths"),
  uevent_helper: onlyIf(noSuchFile, hostSetting),
  sys_setting: hostSetting,
  kernel_files_to_write: orBy(by("readonlyPaths"), "readonlySys"),
  kernel_files_of_root: by("maskedPaths", "userNamespace"),
  make_group: hostSetting,
  lift_memory_limit: hostSetting,
  release_agent: onlyIf(noSuchDevice, by("cgroupNamespace", "seccomp", "capabilities", "userNamespace")),

  raw_disk: onlyIf(noSuchDevice, by("devices", "userNamespace")),
  kernel_log_device: by("devices", "userNamespace"),
  memory_device: onlyIf(noSuchDevice, by("devices", "capabilities", "userNamespace")),
  fuse_device: onlyIf(noSuchDevice, by("devices", "userNamespace")),
  devices_there: by("noHostDevices"),

  set_user_id: by("noNewPrivileges"),
  file_capabilities: by("noNewPrivileges"),
  host_crash_handler: orBy(by("coreLimit"), "seccomp"),
  better_priority: by("capabilities", "userNamespace"),
  spared_by_oom: { ...by("capabilities", "userNamespace"), needs: "CAP_SYS_RESOURCE" },
  more_open_files: { ...by("capabilities", "userNamespace"), needs: "CAP_SYS_RESOURCE" },

  write_shown_files: by("readonlyBinds", "userNamespace"),
  left_open_descriptors: { opens: [] },
  door_of_another: by("doorFolder"),
  host_shared_memory: by("ipcNamespace"),
  host_message_queue: by("ipcNamespace"),
  host_shared_files: by("sharedMemory"),
  host_abstract_socket: by("networkNamespace"),
  host_loopback: by("networkNamespace"),
  vsock: onlyIf(noSuchSocket, by("seccomp")),
  kernel_crypto_socket: onlyIf(noSuchSocket, by("seccomp")),
  families_by_socketpair: onlyIf(noSuchSocket, by("seccomp")),
  write_audit_log: onlyIf(noSuchSocket, by("seccomp", "userNamespace")),
  hear_device_events: orBy(by("seccomp", "userNamespace"), "seccomp", "networkNamespace"),
  set_up_links: by("capabilities"),
};
