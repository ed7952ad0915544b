"""Keeps one function process of the runtime `process`: the part that conmon plays for runc.

It is started once per container, in a session of its own, and outlives the worker that started it. It owns the pipes
that are the process's stdout and stderr, writes what arrives into the container's log in the format that conmon writes
(one `<RFC 3339 time> stdout|stderr F|P <text>` a line; P: the line goes on in the next record), and when the process
ends it ends everything that descends from it, writes down how it ended, and ends too.

Files, all in the container's folder:

    log          appended to; the worker appends its own lines to the same file
    alive        a FIFO that this process alone holds open for writing: its readers see the end of this process
    keeper.json  who keeps and who is kept; written before the process runs its first instruction
    exit         "exited CODE" or "signaled NUMBER"; written last

The request comes on stdin as fields that each end with a NUL byte (no path, argument or variable can contain one):
folder, cwd, the number of arguments, the arguments, the variables, and an empty field that says it is complete. The
answer goes to stdout: one line, "started" or "failed REASON".

Runs with `python -I -S` on every Python from 3.8; imports only what starts quickly.
"""

import os
import select
import signal
import sys
import time

# Longest text of one log record; conmon's is the same.
RECORD_LIMIT = 8192
READ_SIZE = 65536
# The listening socket of the container's door, open here so that the next worker can take it (door-socket.ts).
DOOR = 5
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
# How long descendants that were sent SIGKILL may take to be gone (uninterruptible sleep) before they are given up.
LAST_WAIT_SECONDS = 5.0


def load_prctl():
    try:
        import ctypes

        return ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None  # a Python built without libffi: `contained` is false in keeper.json, and the worker sweeps instead


def start_ticks(pid):
    """When a process started, in clock ticks since boot: together with the pid it names the process for good."""
    with open("/proc/%d/stat" % pid, "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19])


def close_inherited():
    """Descriptors that came down from whatever started the platform must not reach a function; nor must the door's."""
    for fd in [int(name) for name in os.listdir("/proc/self/fd")]:
        if fd == DOOR:
            os.set_inheritable(fd, False)
        elif fd > 2:
            try:
                os.close(fd)
            except OSError:
                pass  # the one that listed them, closed already


def write_whole(path, text):
    temporary = path + b".tmp"
    with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    os.rename(temporary, path)


class Log:
    """Appends records; what cannot be written is counted, and told in the log as soon as it can be."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.lost = 0

    def append(self, stream, data):
        now = time.time_ns()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9)) + ".%09dZ " % (now % 10**9)
        full = stamp.encode() + stream + b" F "
        partial = stamp.encode() + stream + b" P "
        records = []
        *lines, rest = data.split(b"\n")
        for line in lines:
            while len(line) > RECORD_LIMIT:
                records += (partial, line[:RECORD_LIMIT], b"\n")
                line = line[RECORD_LIMIT:]
            records += (full, line, b"\n")
        for at in range(0, len(rest), RECORD_LIMIT):
            records += (partial, rest[at : at + RECORD_LIMIT], b"\n")
        if self.lost > 0:
            records[:0] = (stamp.encode() + b"system F %d bytes of output could not be written" % self.lost, b"\n")
        self.write(b"".join(records), len(data))

    def write(self, text, weight):
        view = memoryview(text)
        try:
            while len(view) > 0:
                view = view[os.write(self.fd, view) :]
            self.lost = 0
        except OSError:  # a full disk must neither block the function nor end its keeper
            self.lost += weight


class Keeper:
    def __init__(self, fields):
        self.folder, self.cwd, count, *rest = fields
        self.argv = rest[: int(count)]
        self.env = dict(variable.split(b"=", 1) for variable in rest[int(count) :])
        self.worker = os.getppid()
        self.prctl = load_prctl()
        self.main = 0
        self.status = None
        self.streams = {}
        self.log = Log(os.path.join(self.folder, b"log"))
        self.wake, wake_writer = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_writer, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for ignored in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)

    def start(self):
        """Starts the process; answers why it could not, or None."""
        alive = os.path.join(self.folder, b"alive")
        os.mkfifo(alive, 0o600)
        os.open(alive, os.O_RDWR | os.O_CLOEXEC)
        contained = self.prctl is not None and self.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        stdout, stdout_writer = os.pipe()
        stderr, stderr_writer = os.pipe()
        go, go_writer = os.pipe()
        failure, failure_writer = os.pipe()
        if os.getppid() != self.worker:
            os._exit(1)  # nothing is written down yet: the next worker takes the container for never started
        keeper = os.getpid()
        self.main = os.fork()
        if self.main == 0:
            os.close(go_writer)
            self.become_main(keeper, go, stdout_writer, stderr_writer, failure_writer)
        for fd in (stdout_writer, stderr_writer, failure_writer, go):
            os.close(fd)
        self.write_record(contained)
        os.close(go_writer)
        self.streams = {stdout: b"stdout", stderr: b"stderr"}
        for fd in self.streams:
            os.set_blocking(fd, False)
        reason = os.read(failure, 4096)
        os.close(failure)
        return reason or None

    def write_record(self, contained):
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        identity = '{"pid":%d,"startTicks":%d,"boot":"%s"}'
        record = '{"keeper":%s,"main":%s,"contained":%s}\n' % (
            identity % (os.getpid(), start_ticks(os.getpid()), boot),
            identity % (self.main, start_ticks(self.main), boot),
            "true" if contained else "false",
        )
        write_whole(os.path.join(self.folder, b"keeper.json"), record.encode())

    def become_main(self, keeper, go, stdout, stderr, failure):
        """In the child: waits until it is written down, then becomes the function's process. Never returns."""
        try:
            os.setsid()
            if self.prctl is not None:
                self.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            os.read(go, 1)
            if os.getppid() != keeper:
                os._exit(1)
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            os.dup2(stdout, 1)
            os.dup2(stderr, 2)
            # When memory runs out the kernel should take functions before the platform and the user's own programs.
            with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write("500")
            os.chdir(self.cwd)
            os.execve(self.argv[0], self.argv, self.env)
        except OSError as error:
            name = os.fsdecode(error.filename if error.filename is not None else self.argv[0])
            os.write(failure, ("%s: %s" % (name, error.strerror)).encode("utf-8", "replace"))
        os._exit(127)

    def keep(self):
        poller = select.poll()
        poller.register(self.wake, select.POLLIN)
        for fd in self.streams:
            poller.register(fd, select.POLLIN)
        while self.status is None:
            for fd, _ in poller.poll():
                if fd == self.wake:
                    self.reap()
                elif self.pump(fd) == "closed":
                    poller.unregister(fd)
        self.end_descendants()
        for fd in self.streams:
            while self.pump(fd) == "more":
                pass

    def pump(self, fd):
        """Moves one read's worth into the log: at once, so that a progress bar does not wait for its newline."""
        try:
            data = os.read(fd, READ_SIZE)
        except BlockingIOError:
            return "empty"
        if not data:
            return "closed"
        self.log.append(self.streams[fd], data)
        return "more"

    def reap(self):
        """Answers whether any child is left."""
        try:
            os.read(self.wake, 4096)
        except BlockingIOError:
            pass  # nothing rang: this is a look, not an answer to a signal
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.main:
                self.status = status

    def end_descendants(self):
        """As the end of pid 1 does in a container. Orphans become our children, so in the end all of them are."""
        poller = select.poll()
        poller.register(self.wake, select.POLLIN)
        deadline = time.monotonic() + LAST_WAIT_SECONDS
        while self.reap():
            left = deadline - time.monotonic()
            if left <= 0:
                self.log.append(b"system", b"processes of this container do not end\n")
                return
            with open("/proc/self/task/%d/children" % os.getpid(), encoding="ascii") as file:
                for pid in file.read().split():
                    os.kill(int(pid), signal.SIGKILL)
            poller.poll(left * 1000)

    def write_exit(self):
        if os.WIFSIGNALED(self.status):
            text = "signaled %d\n" % os.WTERMSIG(self.status)
        else:
            text = "exited %d\n" % os.WEXITSTATUS(self.status)
        write_whole(os.path.join(self.folder, b"exit"), text.encode())


def main():
    close_inherited()
    fields = sys.stdin.buffer.read().split(b"\0")
    if len(fields) < 6 or fields[-2:] != [b"", b""]:
        os._exit(1)  # the worker died while it wrote
    keeper = Keeper(fields[:-2])
    os.chdir("/")
    reason = keeper.start()
    answer = b"started\n" if reason is None else b"failed " + reason + b"\n"
    nothing = os.open("/dev/null", os.O_RDWR)
    try:
        os.write(1, answer)
    except BrokenPipeError:
        pass  # the worker died meanwhile; the next one reads keeper.json
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    keeper.keep()
    keeper.write_exit()


main()
