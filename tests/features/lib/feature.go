// The frame of a feature program in Go; see feature.py beside it for what it prints.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"
)

const limit = 45 * time.Second

// Of a session that is played again; see feature.py.
var (
	tag    = os.Getenv("FEATURES_TAG")
	chosen = os.Getenv("FEATURES")
	count  = 0
)

func atOnce() int {
	if tag != "" {
		return 1
	}
	return 6
}

func isChosen(name string) bool {
	return chosen == "" || strings.Contains(","+chosen+",", ","+name+",")
}

// A feature is a name and what proves it; its string is the detail.
type feature struct {
	name string
	run  func() (string, error)
}

// errNotAvailable wraps the reason why a client can't do a thing.
var errNotAvailable = errors.New("not available")

func notAvailable(why string) func() (string, error) {
	return func() (string, error) { return why, errNotAvailable }
}

// plain makes a feature of a function without detail.
func plain(f func() error) func() (string, error) {
	return func() (string, error) { return "", f() }
}

func bootstrap() string {
	if len(os.Args) != 2 {
		fmt.Fprintf(os.Stderr, "usage: %s BOOTSTRAP\n", os.Args[0])
		os.Exit(2)
	}
	return os.Args[1]
}

func unique(name string) string {
	if tag != "" {
		count++
		return fmt.Sprintf("%s-%s-%d", name, tag, count)
	}
	bytes := make([]byte, 4)
	if _, err := rand.Read(bytes); err != nil {
		panic(err)
	}
	return name + "-" + hex.EncodeToString(bytes)
}

func until(what string, condition func() bool) error {
	for end := time.Now().Add(20 * time.Second); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("not within 20 s: %s", what)
		}
	}
	return nil
}

func equal(got, wanted any, what string) error {
	if !reflect.DeepEqual(got, wanted) {
		return fmt.Errorf("%s: %.200s is not %.200s", what, fmt.Sprint(got), fmt.Sprint(wanted))
	}
	return nil
}

func values20() []string {
	all := make([]string, 20)
	for i := range all {
		all[i] = fmt.Sprintf("value %d", i)
	}
	return all
}

// first is the first error of some.
func first(some ...error) error {
	for _, err := range some {
		if err != nil {
			return err
		}
	}
	return nil
}

var (
	saying  sync.Mutex
	waiting = map[string]bool{}
	failed  bool
)

func say(state, name, detail string) {
	saying.Lock()
	defer saying.Unlock()
	delete(waiting, name)
	failed = failed || state == "FAIL"
	fmt.Println(strings.Join(strings.Fields(state+" "+name+" "+detail), " "))
}

func one(f feature) {
	defer func() {
		if r := recover(); r != nil {
			say("FAIL", f.name, fmt.Sprint("panic: ", r))
		}
	}()
	detail, err := f.run()
	switch {
	case errors.Is(err, errNotAvailable):
		say("n/a", f.name, detail)
	case err != nil:
		say("FAIL", f.name, err.Error())
	default:
		say("ok", f.name, detail)
	}
}

// run runs the features side by side and ends the process: 0, or 1 when one failed.
func run(features []feature) {
	queue, done := make(chan feature, len(features)), make(chan bool)
	for _, f := range features {
		if !isChosen(f.name) {
			continue
		}
		waiting[f.name] = true
		queue <- f
	}
	close(queue)
	var lanes sync.WaitGroup
	for range atOnce() {
		lanes.Add(1)
		go func() {
			defer lanes.Done()
			for f := range queue {
				one(f)
			}
		}()
	}
	go func() { lanes.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(limit):
		saying.Lock()
		late := waiting
		waiting = map[string]bool{}
		saying.Unlock()
		for name := range late {
			say("FAIL", name, "no end within "+limit.String())
		}
	}
	if failed {
		os.Exit(1)
	}
	os.Exit(0)
}
