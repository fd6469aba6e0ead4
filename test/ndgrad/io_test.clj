(ns ndgrad.io-test
  (:require
   [clojure.test :refer [deftest is]]
   [ndgrad.core :as nd]
   [ndgrad.io :as io])
  (:import
   (java.io File UncheckedIOException)
   (ndgrad ArgumentException)))

(set! *warn-on-reflection* true)

(defn- temp ^File [suffix]
  (doto (File/createTempFile "ndgrad" suffix) .deleteOnExit))

(deftest npy-comes-back
  (let [f (temp ".npy")]
    (is (= f (io/save-npy f (nd/arange 6 {:dtype :float32}))))
    (is (= [[0.0 1.0 2.0 3.0 4.0 5.0] :float32] ((juxt nd/tolist nd/dtype) (io/load-npy (str f)))))
    (io/save-npy (.toPath f) [[true false]])
    (is (= [[true false]] (nd/tolist (io/load-npy f))))))

(deftest npz-comes-back
  (let [f (temp ".npz")
        arrays {:w [[1.0 2.0]] :layer/b 3, "plain" [1 2]}]
    (doseq [options [nil {:compressed true}]]
      (io/save-npz f arrays options)
      (is (= {:w [[1.0 2.0]] :layer/b 3 :plain [1 2]} (update-vals (io/load-npz f) nd/tolist))))))

(deftest broken-files-are-refused
  (let [f (temp ".npz")]
    (spit f "no archive")
    (is (thrown? ArgumentException (io/load-npz f)))
    (is (thrown? ArgumentException (io/load-npy f)))
    (is (thrown? UncheckedIOException (io/load-npy "no-such-file.npy")))))
