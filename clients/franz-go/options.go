//go:build !old

package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// nextGen opts into KIP-848; later versions have an option, too.
func nextGen() ([]kgo.Opt, bool) {
	return []kgo.Opt{kgo.WithContext(context.WithValue(context.Background(), "opt_in_kafka_next_gen_balancer_beta", true))}, true
}

func bufferBytes(b *build) setter {
	return number(func(n int) { b.add(kgo.MaxBufferedBytes(n)) })
}
