// A driver (loop.sh tells what it is asked): minio-go with its IAM provider, as `mc` and many backup programs have it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

func use(client *minio.Client) error {
	object, err := client.GetObject(context.Background(), "bucket", "whoami", minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer object.Close()
	_, err = io.Copy(os.Stdout, object)
	return err
}

func main() {
	tell := json.NewEncoder(os.Stdout).Encode
	switch os.Args[1] {
	case "version":
		info, _ := debug.ReadBuildInfo()
		for _, module := range info.Deps {
			if module.Path == "github.com/minio/minio-go/v7" {
				fmt.Println(strings.TrimPrefix(module.Version, "v"))
			}
		}
	case "use":
		client, err := minio.New(strings.TrimPrefix(os.Getenv("S3_ENDPOINT"), "http://"), &minio.Options{Creds: credentials.NewIAM(""), Region: os.Getenv("AWS_REGION")})
		if err != nil {
			panic(err)
		}
		count, _ := strconv.Atoi(os.Args[2])
		gap, _ := time.ParseDuration(os.Args[3] + "s")
		for number := 0; number < count; number++ {
			if number > 0 {
				time.Sleep(gap)
			}
			if err := use(client); err != nil {
				tell(map[string]string{"error": err.Error()})
			}
		}
	case "time":
		count, _ := strconv.Atoi(os.Args[2])
		for number := 0; number < count; number++ {
			began := time.Now()
			if _, err := credentials.NewIAM("").GetWithContext(nil); err != nil {
				panic(err)
			}
			tell(map[string]float64{"ms": time.Since(began).Seconds() * 1000})
		}
	}
}
