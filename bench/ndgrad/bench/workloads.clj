(ns ndgrad.bench.workloads
  "Whole workloads, timed: from a derivative of two numbers to steps of small networks. Each is a function of no arguments
  over data made once; `run` prints the median time of each in microseconds.

  bin/bench [--only W03,W06] [--seconds 0.6]"
  (:require
   [clojure.string :as str]
   [ndgrad.core :as nd]
   [ndgrad.random :as r]))

(set! *warn-on-reflection* true)

(defn- f32 [& shape] (r/randn shape {:dtype :float32}))
(defn- leaf [x] (nd/requires-grad! (nd/copy x) true))

(defn- fresh!
  "Forgets the gradients of `leaves`, as a training loop does before each step."
  [& leaves]
  (run! nd/zero-grad! leaves))

(defn- cross-entropy
  "The mean negative log-likelihood of integer `targets` [n] under `logits` [n k]."
  [logits targets]
  (nd/neg (nd/mean (nd/take-along-axis (nd/log-softmax logits {:axis -1}) (nd/unsqueeze targets 1) {:axis 1}))))

(defn- scalars []
  (let [a (leaf [3.0]) b (leaf [4.0])
        x16 (leaf (r/randn [16])) w16 (nd/+ 1 (nd/* 0.01 (r/randn [16])))]
    {"W01 scalar sqrt(a^2+b^2) fwd+bwd f64"
     #(do (fresh! a b)
          (nd/backward! (nd/sqrt (nd/+ (nd/pow a 2) (nd/pow b 2)))))
     "W02 100-op chain on 16 elements fwd+bwd f64"
     #(do (fresh! x16)
          (nd/backward! (nd/sum (loop [y x16 i 0]
                                  (if (clojure.core/< i 50) (recur (nd/+ (nd/* y w16) x16) (inc i)) y)))))}))

(defn- elementwise []
  (let [p (f32 1000 1000) q (f32 1000 1000) d (r/randn [1000 1000])
        row (f32 1000) column (f32 1000 1)
        g (leaf (f32 1000 1000)) up (f32 1000 1000)]
    {"W03 add 1e6 f32" #(nd/+ p q)
     "W04 exp 1e6 f64" #(nd/exp d)
     "W04b tanh 1e6 f32" #(nd/tanh p)
     "W10 gelu-tanh composed 1e6 fwd+bwd f32"
     #(do (fresh! g)
          (nd/backward! (nd/* 0.5 g (nd/+ 1 (nd/tanh (nd/* 0.7978845608 (nd/+ g (nd/* 0.044715 (nd/pow g 3)))))))
                        up))
     "W14a add transposed 1e6 f32" #(nd/+ p (nd/T q))
     "W16 broadcast add row+col 1e6 f32" #(nd/+ p row column)}))

(defn- reductions []
  (let [m (f32 2000 2000) flat (f32 1000000)]
    {"W05a sum axis0 4e6 f32" #(nd/sum m {:axis 0})
     "W05b sum axis1 4e6 f32" #(nd/sum m {:axis 1})
     "W05c sum all 4e6 f32" #(nd/sum m)
     "W14b copy of transposed 4e6 f32" #(nd/copy (nd/T m))
     "W17 cumsum axis1 4e6 f32" #(nd/cumsum m {:axis 1})
     "W18 sort 1e6 f32" #(nd/sort flat)
     "W19 argmax axis1 4e6 f32" #(nd/argmax m {:axis 1})
     "W20 var axis0 4e6 f32" #(nd/var m {:axis 0 :ddof 1})}))

(defn- matrices []
  (let [a (f32 1024 1024) b (f32 1024 1024) c (r/randn [1024 1024]) d (r/randn [1024 1024])
        s (f32 16 16) t (f32 16 16) x (f32 128 64 64) y (f32 128 64 64)]
    {"W07a matmul 1024 f32" #(nd/matmul a b)
     "W07b matmul 1024 f64" #(nd/matmul c d)
     "W08 matmul 16 f32" #(nd/matmul s t)
     "W09 batched matmul 128x64x64 f32" #(nd/matmul x y)}))

(defn- rows []
  (let [up (f32 1024 1024) sm (leaf (f32 1024 1024))
        table (leaf (f32 10000 64)) ids (r/randint 0 10000 [4096]) gu (f32 4096 64)]
    {"W06 softmax 1024x1024 fwd+bwd f32"
     #(do (fresh! sm) (nd/backward! (nd/softmax sm {:axis -1}) up))
     "W14c gather 4096 rows of 10000x64 fwd+bwd f32"
     #(do (fresh! table) (nd/backward! (nd/get table ids) gu))}))

(defn- networks []
  (let [ws (mapv (fn [[m n]] (leaf (nd/* (f32 m n) 0.05))) [[784 256] [256 128] [128 10]])
        bs (mapv #(leaf (nd/zeros [%] {:dtype :float32})) [256 128 10])
        x (f32 64 784) y (r/randint 0 10 [64])
        image (f32 32 1 28 28) labels (r/randint 0 10 [32])
        k1 (leaf (nd/* (f32 8 1 3 3) 0.1)) k2 (leaf (nd/* (f32 16 8 3 3) 0.1))
        top (leaf (nd/* (f32 12544 10) 0.01))]
    {"W11 MLP 784-256-128-10 batch 64 SGD step f32"
     #(do (run! nd/zero-grad! (concat ws bs))
          (let [[w1 w2 w3] ws
                [b1 b2 b3] bs
                h (nd/relu (nd/+ (nd/matmul x w1) b1))
                h (nd/relu (nd/+ (nd/matmul h w2) b2))]
            (nd/backward! (cross-entropy (nd/+ (nd/matmul h w3) b3) y)))
          (nd/no-grad
           (doseq [p (concat ws bs)]
             (nd/sub! p (nd/* 1e-3 (nd/grad-of p))))))
     "W13 conv net 32x28x28 fwd+bwd f32"
     #(do (fresh! k1 k2 top)
          (let [h (nd/relu (nd/conv2d image k1 {:padding 1}))
                h (nd/relu (nd/conv2d h k2 {:padding 1}))]
            (nd/backward! (cross-entropy (nd/matmul (nd/reshape h [32 -1]) top) labels))))}))

(defn workloads
  "Names to functions of no arguments."
  []
  (into (sorted-map) (mapcat #(%)) [scalars elementwise reductions matrices rows networks]))

(defn- micros
  "The median time of a call of `f` in microseconds, over about `seconds`."
  [f seconds]
  (let [warm (clojure.core/+ (System/nanoTime) (long (clojure.core/* 1e9 (double seconds))))]
    (while (clojure.core/< (System/nanoTime) warm) (f)))
  (let [once (let [t (System/nanoTime)] (f) (clojure.core/- (System/nanoTime) t))
        inner (long (clojure.core/max 1 (quot 10000000 (clojure.core/max 1 once))))
        end (clojure.core/+ (System/nanoTime) (long (clojure.core/* 1e9 (double seconds))))]
    (loop [times []]
      (if (or (clojure.core/< (count times) 3) (clojure.core/< (System/nanoTime) end))
        (let [t (System/nanoTime)]
          (dotimes [_ inner] (f))
          (recur (conj times (clojure.core// (clojure.core/- (System/nanoTime) t) 1000.0 inner))))
        (nth (sort times) (quot (count times) 2))))))

(defn -main
  "Times the workloads whose names start with one of `--only`, all by default."
  [& args]
  (let [{only "--only", seconds "--seconds"} (apply hash-map args)
        chosen? (if only
                  (fn [name] (some #(str/starts-with? name (str % " ")) (str/split only #",")))
                  (constantly true))]
    (r/manual-seed! 0)
    (doseq [[name f] (workloads) :when (chosen? name)]
      (println (format "%-48s %12.2f" name (micros f (Double/parseDouble (or seconds "0.6")))))
      (flush))
    (shutdown-agents)))
