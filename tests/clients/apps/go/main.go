// Calls apps/foreign.py with the public Go client. It tells of each story in a line, as apps/story.py does.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	modal "github.com/modal-labs/modal-client/go"
)

var (
	ctx       = context.Background()
	client    = must(modal.NewClient())
	echo, act *modal.Function
	told      sync.WaitGroup
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// What a call of echo has got, and how it looks in Python.
type echoed struct {
	args   []any
	kwargs map[any]any
	seen   []any
}

func fromEcho(result any, err error) echoed {
	found := must(result, err).(map[any]any)
	return echoed{found["args"].([]any), found["kwargs"].(map[any]any), found["seen"].([]any)}
}

// A story fails by a panic.
func story(title string, check func()) {
	told.Go(func() {
		end, why := "passed", ""
		defer func() {
			if failure := recover(); failure != nil {
				end, why = "failed", fmt.Sprint(failure)
			}
			fmt.Printf("story %s %s %s\n", must(json.Marshal(title)), end, must(json.Marshal(why)))
		}()
		check()
	})
}

func equal(found, expected any) {
	if !reflect.DeepEqual(found, expected) {
		panic(fmt.Sprintf("%#v is not %#v", found, expected))
	}
}

func fails[E error](err error, words string) {
	var kind E
	if !errors.As(err, &kind) || !strings.Contains(err.Error(), words) {
		panic(fmt.Sprintf("%T %v is no %T with %q", err, err, kind, words))
	}
}

func calls() {
	story("a call has its arguments by position and by name, and its result", func() {
		found := fromEcho(echo.Remote(ctx, []any{1, "two"}, map[string]any{"three": []any{3}}))
		equal(found.args, []any{uint64(1), "two"})
		equal(found.kwargs, map[any]any{"three": []any{uint64(3)}})
	})

	story("a spawned call's result is fetched later, also by its id", func() {
		call := must(echo.Spawn(ctx, []any{7}, nil))
		equal(fromEcho(call.Get(ctx, nil)).args, []any{uint64(7)})
		again := must(client.FunctionCalls.FromID(ctx, call.FunctionCallID, nil))
		patience := 10 * time.Second
		equal(fromEcho(again.Get(ctx, &modal.FunctionCallGetParams{Timeout: &patience})).args, []any{uint64(7)})
	})

	story("a call is waited for in vain, and cancelled", func() {
		call := must(act.Spawn(ctx, []any{"wait"}, nil))
		patience := 100 * time.Millisecond
		_, err := call.Get(ctx, &modal.FunctionCallGetParams{Timeout: &patience})
		fails[modal.TimeoutError](err, "")
		if err := call.Cancel(ctx, nil); err != nil {
			panic(err)
		}
		_, err = call.Get(ctx, nil)
		fails[modal.RemoteError](err, "cancelled")
	})

	story("a hundred calls run at a time", func() {
		var all sync.WaitGroup
		found := make([]any, 100)
		for number := range found {
			all.Go(func() { found[number] = fromEcho(echo.Remote(ctx, []any{number}, nil)).args[0] })
		}
		all.Wait()
		for number, each := range found {
			equal(each, uint64(number))
		}
	})
}

func values() {
	power := func(bits uint) big.Int { return *new(big.Int).Lsh(big.NewInt(1), bits) }
	negative := func(number big.Int) big.Int { return *new(big.Int).Neg(&number) }

	story("values are in Python what they are here, and come back", func() {
		day := time.Date(2024, 2, 29, 12, 30, 59, 500_000_000, time.UTC)
		for _, each := range []struct {
			value any
			seen  string
		}{
			{nil, "None"},
			{true, "True"},
			{uint64(0), "0"},
			{int64(math.MinInt64), "-9223372036854775808"},
			{uint64(math.MaxUint64), "18446744073709551615"},
			{power(100), "1267650600228229401496703205376"},
			{negative(power(100)), "-1267650600228229401496703205376"},
			{0.1, "0.1"},
			{math.Inf(-1), "-inf"},
			{"ünïcödé ☃ 😀\x00", `'ünïcödé ☃ 😀\x00'`},
			{[]any{uint64(1), []any{uint64(2), []any{}}}, "[1, [2, []]]"},
			{map[any]any{"a": map[any]any{"b": nil}}, "{'a': {'b': None}}"},
			{[]byte{0, 255}, `b'\x00\xff'`},
			{day, "datetime.datetime(2024, 2, 29, 12, 30, 59, 500000, tzinfo=datetime.timezone.utc)"},
		} {
			found := fromEcho(echo.Remote(ctx, []any{each.value}, nil))
			equal(found.seen, []any{each.seen})
			equal(found.args, []any{each.value})
		}
	})

	story("values of Python arrive", func() {
		found := must(act.Remote(ctx, []any{"values"}, nil)).(map[any]any)
		equal(found["none"], nil)
		equal(found["booleans"], []any{true, false})
		equal(found["integers"], []any{
			uint64(0), int64(-1), uint64(23), uint64(24), uint64(255), uint64(65536), uint64(1 << 31), uint64(1 << 53),
			uint64(1 << 63), int64(math.MinInt64), power(64), power(100), negative(power(100)),
		})
		equal(found["floats"], []any{0.5, -1.5, 1e300, math.Inf(1)})
		equal(found["text"], []any{"", "ünïcödé ☃ 😀", "nul\x00inside"})
		equal(len(found["bytes"].([]any)[1].([]byte)), 256)
		equal(found["nested"].(map[any]any)["dict"], map[any]any{"a": map[any]any{"b": map[any]any{}}})
		equal(found["tuple"], []any{uint64(1), "two"})
		equal(found["time"].(time.Time).UnixMilli(), int64(1709209859500))
	})

	story("5 MiB go both ways, by blob", func() {
		sent := bytes.Repeat([]byte("0123456789abcdef"), 5*1024*1024/16)
		equal(bytes.Equal(fromEcho(echo.Remote(ctx, []any{sent}, nil)).args[0].([]byte), sent), true)
		call := must(echo.Spawn(ctx, []any{sent[:100_000]}, nil))
		equal(len(fromEcho(call.Get(ctx, nil)).args[0].([]byte)), 100_000)
	})
}

func classes() {
	instance := func(cls *modal.Cls, parameters map[string]any) *modal.ClsInstance {
		return must(cls.Instance(ctx, parameters))
	}

	story("a class has parameters of every type", func() {
		typed := must(client.Cls.FromName(ctx, "foreign", "Typed", nil))
		some := must(instance(typed, map[string]any{"number": 5}).Method("tell"))
		equal(must(some.Remote(ctx, []any{1}, nil)), []any{uint64(6), "ünïcödé ☃", false, []byte{0, 255}})
		given := map[string]any{"number": -7, "text": "", "flag": true, "data": []byte{1, 2}}
		other := must(instance(typed, given).Method("tell"))
		equal(must(other.Remote(ctx, nil, map[string]any{"more": 2})), []any{int64(-5), "", true, []byte{1, 2}})
	})

	story("options make another pool of containers", func() {
		typed := must(client.Cls.FromName(ctx, "foreign", "Typed", nil))
		where := func(cls *modal.Cls) any {
			return must(must(instance(cls, map[string]any{"number": 1}).Method("where")).Remote(ctx, nil, nil))
		}
		usual := where(typed)
		equal(where(typed), usual)
		long, short := 20*time.Second, time.Second
		if where(typed.WithOptions(&modal.ClsWithOptionsParams{Timeout: &long})) == usual {
			panic("it ran in the same container")
		}
		hasty := must(act.WithOptions(&modal.FunctionWithOptionsParams{Timeout: &short}).Instance(ctx))
		_, err := hasty.Remote(ctx, []any{"wait"}, nil)
		fails[modal.FunctionTimeoutError](err, "1 s")
	})
}

func failures() {
	story("an exception is told by its type and words", func() {
		_, err := act.Remote(ctx, []any{"fail"}, nil)
		fails[modal.RemoteError](err, "ValueError('as it was asked to')")
	})

	story("a result that is no CBOR is told", func() {
		_, err := act.Remote(ctx, []any{"not CBOR"}, nil)
		fails[modal.RemoteError](err, "object")
	})

	story("names that do not exist are said to be none", func() {
		_, err := client.Functions.FromName(ctx, "foreign", "nothing", nil)
		fails[modal.NotFoundError](err, "nothing")
		_, err = client.Functions.FromName(ctx, "foreing", "echo", nil)
		fails[modal.NotFoundError](err, "foreing")
		_, err = client.Cls.FromName(ctx, "foreign", "Nothing", nil)
		fails[modal.NotFoundError](err, "Nothing")
	})

	story("its containers are counted, and their number is set", func() {
		must(echo.Remote(ctx, nil, nil))
		equal(must(echo.GetCurrentStats(ctx, nil)).NumTotalRunners, 1)
		window := 30 * time.Second
		settings := must(echo.UpdateAutoscaler(ctx, &modal.FunctionUpdateAutoscalerParams{ScaledownWindow: &window}))
		equal(*settings.ScaledownWindow, window)
	})
}

func queues() {
	story("a queue's items come out in order, by partitions, and are waited for", func() {
		queue := must(client.Queues.Ephemeral(ctx, nil))
		defer queue.CloseEphemeral()
		done := func(err error) { must(0, err) }
		done(queue.Put(ctx, "first", nil))
		done(queue.PutMany(ctx, []any{true, "third"}, nil))
		done(queue.Put(ctx, "elsewhere", &modal.QueuePutParams{Partition: "other", PartitionTTL: time.Minute}))
		equal(must(queue.Len(ctx, nil)), 3)
		equal(must(queue.Len(ctx, &modal.QueueLenParams{Total: true})), 4)
		var seen []any
		for item, err := range queue.Iterate(ctx, nil) {
			seen = append(seen, must(item, err))
		}
		equal(seen, []any{"first", true, "third"})
		equal(must(queue.Get(ctx, nil)), "first")
		equal(must(queue.GetMany(ctx, 5, nil)), []any{true, "third"})
		patience := 100 * time.Millisecond
		_, err := queue.Get(ctx, &modal.QueueGetParams{Timeout: &patience})
		fails[modal.QueueEmptyError](err, "")
		var waiting sync.WaitGroup
		waiting.Go(func() { equal(must(queue.Get(ctx, nil)), "came") })
		done(queue.Put(ctx, "came", nil))
		waiting.Wait()
		done(queue.PutMany(ctx, make([]any, 5000), nil))
		fails[modal.QueueFullError](queue.Put(ctx, 1, &modal.QueuePutParams{Timeout: &patience}), "")
		done(queue.Clear(ctx, &modal.QueueClearParams{All: true}))
		equal(must(queue.Len(ctx, &modal.QueueLenParams{Total: true})), 0)
	})

	story("a queue is shared with Python by its name", func() {
		name := fmt.Sprintf("foreign-go-%d", os.Getpid())
		queue := must(client.Queues.FromName(ctx, name, &modal.QueueFromNameParams{CreateIfMissing: true}))
		must(0, queue.Put(ctx, []any{"one", "two"}, nil))
		typed := must(client.Cls.FromName(ctx, "foreign", "Typed", nil))
		method := must(must(typed.Instance(ctx, map[string]any{"number": 1})).Method("pass_on"))
		must(method.Remote(ctx, []any{name}, nil))
		equal(fmt.Sprint(must(queue.Get(ctx, nil))), "map[answer:['one', 'two']]")
		must(0, client.Queues.Delete(ctx, name, nil))
		_, err := client.Queues.FromName(ctx, name, nil)
		fails[modal.NotFoundError](err, name)
		must(0, client.Queues.Delete(ctx, name, &modal.QueueDeleteParams{AllowMissing: true}))
	})
}

// Calls apps/typescript/greets.ts instead.
func greets() {
	of := func(name string, args []any, kwargs map[string]any) (any, error) {
		return must(client.Functions.FromName(ctx, "greets", name, nil)).Remote(ctx, args, kwargs)
	}
	equal(must(of("greet", []any{"Ada"}, map[string]any{"times": 2})), []any{"Hello, Ada", "Hello, Ada"})
	found := must(of("kinds", []any{1, "x", nil, []any{1}, map[string]any{"a": 1}, []byte{1}, big.NewInt(1).Lsh(big.NewInt(1), 70)}, nil)).(map[any]any)
	equal(found["seen"], []any{"number", "string", "null", "Array", "Object", "Uint8Array", "bigint"})
	equal(found["bytes"], []byte{0, 255})
	equal(found["date"].(time.Time).UTC().Format(time.RFC3339), "2026-11-30T12:00:00Z")
	large := found["large"].(big.Int)
	equal(large.String(), "1180591620717411303424")
	equal(must(of("nothing", nil, nil)), nil)
	_, err := of("fails", []any{7}, nil)
	fails[modal.RemoteError](err, "RangeError: no user 7")
	counter := must(must(client.Cls.FromName(ctx, "greets", "Counter", nil)).Instance(ctx, map[string]any{"label": "n", "start": 40}))
	equal(must(must(counter.Method("count")).Remote(ctx, []any{2}, nil)), "n 42")
	fmt.Println("all of it holds")
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "greets" {
		greets()
		return
	}
	echo = must(client.Functions.FromName(ctx, "foreign", "echo", nil))
	act = must(client.Functions.FromName(ctx, "foreign", "act", nil))
	calls()
	values()
	classes()
	queues()
	failures()
	told.Wait()
}
