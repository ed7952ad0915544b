/**
 * Which system calls a container may make: a table by purpose; what is not in it fails with EPERM.
 *
 * The table suits a container that has the capabilities of oci-spec.ts and no more, on Linux 4.8 or newer. Left out on
 * purpose is what reaches beyond a container (mounting, namespaces, modules, clocks, reboot, quotas, swap), what has no
 * namespace (keys, the kernel's log and profiler, bpf), and large new interfaces that ordinary programs do not need
 * (io_uring, userfaultfd). Names that a host's libseccomp does not know are passed over, so new calls may be listed.
 */

/** A condition on an argument; several on one rule hold together. */
export interface ArgumentTest {
  readonly index: number;
  readonly op: "SCMP_CMP_EQ" | "SCMP_CMP_NE" | "SCMP_CMP_MASKED_EQ";
  readonly value: number;
  readonly valueTwo?: number;
}

/** The form of config.json's linux.seccomp. */
export interface SeccompProfile {
  readonly defaultAction: "SCMP_ACT_ERRNO";
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
  readonly errnoRet?: number;
  readonly args?: readonly ArgumentTest[];
}

const eperm = 1;
const enosys = 38;
const eprotonosupport = 93;
const eopnotsupp = 95;

/** Why each group is there. */
interface Group {
  readonly reason: string;
  readonly names: string;
}

const allowed: readonly Group[] = [
  {
    reason: "open, read and write what the file system's permissions allow",
    names: `open openat openat2 creat close close_range read write readv writev pread64 pwrite64 preadv pwritev preadv2
      pwritev2 lseek sendfile splice tee vmsplice copy_file_range dup dup2 dup3 fcntl flock pipe pipe2 readahead cachestat`,
  },
  {
    reason: "sizes, space and what is on disk",
    names: "truncate ftruncate fadvise64 fsync fdatasync sync syncfs sync_file_range msync",
  },
  {
    reason: "look at files; the mounts that are seen are the container's own",
    names: `stat fstat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd
      chdir fchdir statfs fstatfs name_to_handle_at statmount listmount`,
  },
  {
    reason: "change the tree; mknod makes FIFOs, and devices that the device filter keeps closed",
    names: `mkdir mkdirat rmdir mknod mknodat link linkat symlink symlinkat rename renameat renameat2 unlink unlinkat
      utime utimes utimensat futimesat umask`,
  },
  {
    reason: "owners, modes and attributes, within the capabilities",
    names: `chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat getxattr lgetxattr fgetxattr getxattrat setxattr
      lsetxattr fsetxattr setxattrat listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr
      removexattrat`,
  },
  {
    reason: "see changes of files; fanotify_mark is harmless without fanotify_init, which is not here",
    names: "inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark",
  },
  {
    reason: "chroot, since CAP_SYS_CHROOT is granted; there is nothing above the container's root to get out to",
    names: "chroot",
  },
  {
    reason: "memory of the process's own",
    names: `brk mmap munmap mremap mprotect madvise mincore mlock mlock2 mlockall munlock munlockall remap_file_pages
      memfd_create memfd_secret mseal map_shadow_stack pkey_alloc pkey_free pkey_mprotect membarrier`,
  },
  {
    reason: "start, end and wait for processes; making namespaces with clone is ruled out below",
    names: "fork vfork execve execveat exit exit_group wait4 waitid pause restart_syscall process_mrelease",
  },
  {
    reason: "threads and their locks",
    names: `futex futex_wait futex_wake futex_requeue futex_waitv set_robust_list get_robust_list set_tid_address gettid
      set_thread_area get_thread_area rseq`,
  },
  {
    reason: "identity: changing it is bounded by the capabilities and by no_new_privs",
    names: `getpid getppid getuid geteuid getgid getegid getgroups setuid setgid setreuid setregid getresuid setresuid
      getresgid setresgid setgroups setfsuid setfsgid capget capset prctl`,
  },
  {
    reason: "sessions and process groups",
    names: "setpgid getpgid getpgrp setsid getsid",
  },
  {
    reason: "signals, also by descriptor: a descriptor can be had of the container's processes only",
    names: `kill tkill tgkill rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigqueueinfo
      rt_tgsigqueueinfo rt_sigsuspend sigaltstack signalfd signalfd4 pidfd_open pidfd_send_signal alarm getitimer
      setitimer`,
  },
  {
    reason: "watch the container's own processes: debuggers, profilers",
    names: "ptrace process_vm_readv process_vm_writev uretprobe",
  },
  {
    reason: "scheduling and limits, of which setting is below; raising them takes capabilities that are not granted",
    names: `sched_yield sched_setparam sched_getparam sched_setscheduler sched_getscheduler sched_get_priority_max
      sched_get_priority_min sched_rr_get_interval sched_setaffinity sched_getaffinity sched_setattr sched_getattr
      getpriority setpriority ioprio_set ioprio_get getcpu getrlimit getrusage times`,
  },
  {
    reason: "read clocks and wait; adjtime calls only read without CAP_SYS_TIME",
    names: `time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep clock_adjtime adjtimex timer_create
      timer_settime timer_gettime timer_getoverrun timer_delete timerfd_create timerfd_settime timerfd_gettime`,
  },
  {
    reason: "wait for descriptors",
    names: `select pselect6 poll ppoll epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old
      epoll_pwait epoll_pwait2 eventfd eventfd2`,
  },
  {
    reason: "the older kind of asynchronous input and output, which databases use",
    names: "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents",
  },
  {
    reason: "connections; `socket` and `socketpair` themselves are below",
    names: `bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt sendto
      sendmsg sendmmsg recvfrom recvmsg recvmmsg`,
  },
  {
    reason: "System V and POSIX queues, semaphores and shared memory, in the container's own namespace",
    names: `shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl mq_open mq_unlink
      mq_timedsend mq_timedreceive mq_notify mq_getsetattr`,
  },
  {
    reason: "programs that shut themselves in further",
    names: "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self",
  },
  { reason: "facts about the system, and random numbers", names: "uname sysinfo getrandom" },
];

const allowedOnX64: Group = {
  reason: "thread-local storage, and segments for old programs",
  names: "arch_prctl modify_ldt",
};

/**
 * Kinds of sockets: local, IPv4, IPv6, packets (CAP_NET_RAW is granted, the network is the container's own). All other
 * families are code in the kernel that hardly anybody uses and anybody could load, also by way of `socketpair`.
 */
const socketFamilies = { unspecified: 0, unix: 1, inet: 2, inet6: 10, packet: 17 };
const netlink = 16;
/** Of netlink: what interfaces and what connections there are. */
const netlinkProtocols = { route: 0, socketDiagnosis: 4 };
/** The audit log and the devices' events are the host's. Programs take this answer for that of a kernel without them. */
const hostProtocols = { audit: 9, deviceEvents: 15 };

/** RLIMIT_CORE, one of the kernel's sixteen. */
const coreLimit = 4;

/** Every CLONE_NEW flag that clone takes: mount, cgroup, uts, ipc, user, pid and network namespaces. */
const namespaceFlags = 0x7e02_0000;

/** Linux, Linux with the kind of uname that says 2.6, both of a 32-bit program, and the question which it is. */
const personalities = [0x0, 0x2_0000, 0x8, 0x2_0008, 0xffff_ffff];

const allow = (names: readonly string[], ...args: ArgumentTest[]): SeccompRule => {
  return { names, action: "SCMP_ACT_ALLOW", ...(args.length === 0 ? {} : { args }) };
};
/** Not done, and answered with this error; 0 says that it is done. */
const answer = (errnoRet: number, name: string, ...args: ArgumentTest[]): SeccompRule => {
  return { names: [name], action: "SCMP_ACT_ERRNO", errnoRet, ...(args.length === 0 ? {} : { args }) };
};
const equal = (index: number, value: number): ArgumentTest => ({ index, op: "SCMP_CMP_EQ", value });
/** Of an int, whose upper half the kernel ignores and the filter does not. */
const equalInt = (index: number, value: number): ArgumentTest => {
  return { index, op: "SCMP_CMP_MASKED_EQ", value: 0xffff_ffff, valueTwo: value };
};

/**
 * Every limit may be set but that of core files: at 1 byte, and not at 0, the kernel spares the host's handler of crashes,
 * which would be root's and outside of everything. Who sets it is told that it is done.
 */
function limitRules(): SeccompRule[] {
  const others = Array.from({ length: 16 }, (_, limit) => limit).filter((limit) => limit !== coreLimit);
  return [
    ...others.map((limit) => allow(["setrlimit"], equalInt(0, limit))),
    answer(0, "setrlimit", equalInt(0, coreLimit)),
    ...others.map((limit) => allow(["prlimit64"], equalInt(1, limit))),
    allow(["prlimit64"], equalInt(1, coreLimit), equal(2, 0)), // only asked for
    answer(0, "prlimit64", equalInt(1, coreLimit), { index: 2, op: "SCMP_CMP_NE", value: 0 }),
  ];
}

/** FALLOC_FL_PUNCH_HOLE */
const punchHole = 0x2;
/** The type, in the second of four bytes, of the ioctls that do the same as fallocate (FS_IOC_RESVSP and its like). */
const spaceIoctls = 0x58;

/**
 * Room on a disk can be set aside in an instant, all that there is of it, sooner than anybody could look (disk/). So it
 * cannot be here, as on NFS and ZFS, and the C library writes blocks instead; holes can be made.
 */
function spaceRules(): SeccompRule[] {
  const bits = (mask: number, value: number): ArgumentTest => {
    return { index: 1, op: "SCMP_CMP_MASKED_EQ", value: mask, valueTwo: value & mask };
  };
  return [
    allow(["fallocate"], bits(punchHole, punchHole)),
    answer(eopnotsupp, "fallocate", bits(punchHole, 0)),
    // Every other type differs from it in at least one bit.
    ...Array.from({ length: 8 }, (_, bit) => allow(["ioctl"], bits(0x100 << bit, ~(spaceIoctls << 8)))),
  ];
}

/** The profile for this host's processor, and for no other instruction set of it: each costs 10 ms at every start. */
export function seccompProfile(processor: string = process.arch): SeccompProfile {
  const groups = processor === "x64" ? [...allowed, allowedOnX64] : allowed;
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: eperm,
    architectures: [processor === "x64" ? "SCMP_ARCH_X86_64" : "SCMP_ARCH_AARCH64"],
    syscalls: [
      allow(groups.flatMap(({ names }) => names.split(/\s+/))),
      ...Object.values(socketFamilies).map((family) => allow(["socket"], equal(0, family))),
      ...Object.values(netlinkProtocols).map((protocol) => allow(["socket"], equal(0, netlink), equal(2, protocol))),
      ...Object.values(hostProtocols).map((protocol) =>
        answer(eprotonosupport, "socket", equal(0, netlink), equal(2, protocol)),
      ),
      allow(["socketpair"], equal(0, socketFamilies.unix)),
      ...limitRules(),
      ...personalities.map((value) => allow(["personality"], equal(0, value))),
      allow(["clone"], { index: 0, op: "SCMP_CMP_MASKED_EQ", value: namespaceFlags, valueTwo: 0 }),
      ...spaceRules(),
      // Its flags lie in memory, where no filter sees them; on this answer the C library falls back to clone.
      answer(enosys, "clone3"),
    ],
  };
}
