//go:build old

package main

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"
)

// nextGen: before 1.18 there is no way to say it.
func nextGen() ([]kgo.Opt, bool) { return nil, false }

func bufferBytes(*build) setter {
	return func(string) error { return errors.New("not in this version") }
}
