// Go runs the tests of several packages at the same time: each package's test binary has its own cluster.
package orders

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
)

var bootstrap, control string

func TestMain(m *testing.M) {
	bootstrap = os.Getenv("KTRIAL_BOOTSTRAP") // set by `ktrial run --under`
	if bootstrap == "" {
		runtime.LockOSThread() // the cluster ends with the thread that started it
		serve := exec.Command("ktrial", "serve", "--listen", "127.0.0.1:0", "--topic", "orders:1", "--with-parent")
		out, err := serve.StdoutPipe()
		if err == nil {
			err = serve.Start()
		}
		if err != nil {
			panic(err)
		}
		ready, _ := bufio.NewReader(out).ReadString('\n')
		fmt.Sscanf(ready, "ready bootstrap=%s control=%s", &bootstrap, &control)
	}
	os.Exit(m.Run())
}

func ask(t *testing.T, method, path, body string) map[string]any {
	request, _ := http.NewRequest(method, "http://"+control+path, strings.NewReader(body))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var value map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&value); err != nil || answer.StatusCode >= 400 {
		t.Fatal(answer.Status, value, err)
	}
	return value
}

func send(t *testing.T, value string) {
	w := &kafka.Writer{Addr: kafka.TCP(strings.Split(bootstrap, ",")...), Topic: "orders", BatchSize: 1,
		RequiredAcks: kafka.RequireAll, AllowAutoTopicCreation: true}
	defer w.Close()
	err := error(kafka.UnknownTopicOrPartition) // while the topic is being made
	for try := 0; try < 20 && errors.Is(err, kafka.UnknownTopicOrPartition); try++ {
		err = w.WriteMessages(context.Background(), kafka.Message{Value: []byte(value)})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsSentIsAcknowledged(t *testing.T) {
	send(t, "a")
}

func TestAFailedWriteIsSentAgain(t *testing.T) {
	if control == "" {
		t.Skip("the faults are those of the scenario")
	}
	ask(t, "POST", "/reset", "")
	ask(t, "POST", "/rules", `{"name": "fail", "rule": "Produce nth=1 -> error NOT_LEADER_OR_FOLLOWER"}`)
	send(t, "a")
	if hits := ask(t, "GET", "/rules/fail", "")["hits"]; hits != 1.0 {
		t.Fatal("the fault did not happen: ", hits)
	}
}
